#!/bin/sh
# Builds the source distribution and the wheel into dist/, or into the folder that is named:
#
#   PYTHON=.venv/bin/python deploy/build.sh [FOLDER]      (make dist)
#
# That Python has the packages build and setuptools.
#
# The same files give the same bytes in every folder, at every time and for every user: only what git
# knows is packed, as nobody's and of the time of the last commit (or SOURCE_DATE_EPOCH). setuptools
# and zlib leave their marks too; the wheel's file WHEEL names the version of the first.
set -eu
umask 022
python=${PYTHON:-python3}
root=$(dirname "$0")/..
out=${1:-$root/dist}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/source" "$out"
(cd "$root" && git ls-files -z | xargs -0 cp --parents -t "$work/source")
chmod -R u=rwX,go=rX "$work/source"

build() {
    "$python" -m build -q --no-isolation "$@"
}

build --sdist --outdir "$work" "$work/source"
# setuptools packs with the time of packing and the name of who packs.
archive=$(echo "$work"/*.tar.gz)
name=$(basename "$archive" .tar.gz)
tar -xzf "$archive" -C "$work"
tar --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    -cf - -C "$work" "$name" | gzip -9n >"$out/$name.tar.gz"
build --wheel --outdir "$out" "$work/$name"
