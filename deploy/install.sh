#!/bin/sh
# Installs edge-fer into /opt/edge-fer: Raspberry Pi OS or Debian, 12 (Bookworm) or 13 (Trixie), 64 bit.
#
#   sudo deploy/install.sh [PACKAGE]             a wheel, a checkout, or a name on the package index;
#                                                without: the checkout that this script lies in
#   sudo deploy/install.sh upgrade [PACKAGE]     the same with the newest of what it needs; services
#                                                are started again
#   sudo deploy/install.sh uninstall [--purge]   --purge: what services wrote, and their secrets, too
#   --dry-run                                    only says what would be done
#
# Again and again is no harm: what is there already stays.
set -eu
umask 022

# Tests have another root, and only look at what would be done there.
root="${EDGE_FER_ROOT:-}"
home=/opt/edge-fer
link=/usr/local/bin/edge-fer
units=/etc/systemd/system
made_by='^# Written by edge-fer install-service'

fail() {
    echo "install.sh: $1" >&2
    exit "${2:-2}"
}

run() {
    if [ -n "$dry" ]; then
        echo "would run: $*"
    else
        "$@"
    fi
}

# Where systemd does not run (in an image that is being made, say) there is nothing to tell it.
systemd() {
    if [ -n "$dry" ] || [ -d /run/systemd/system ]; then
        run systemctl "$@"
    fi
}

# Sets what depends on the system: the library's name, and what NumPy apt's packages are built for.
look_at_system() {
    architecture=$(dpkg --print-architecture 2>/dev/null) || fail "this is no Debian system"
    case "$architecture" in
        arm64 | amd64) ;;
        *) fail "edge-fer needs a 64-bit system, and this one is $architecture" ;;
    esac
    release=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' "$root/etc/os-release")
    case "$release" in
        12) glib=libglib2.0-0 numpy='numpy<2' ;;
        13) glib=libglib2.0-0t64 numpy='numpy' ;;
        *) fail "this is release ${release:-unknown}; it is tried on 12 (Bookworm) and 13 (Trixie)" ;;
    esac
    libraries="python3 python3-venv libgl1 $glib"
    extras=mqtt,web
    # MediaPipe's aarch64 wheels end the process on a processor without atomics (a Pi 4); edge-fer
    # then finds the same faces with LiteRT.
    if [ "$architecture" = amd64 ] || grep -q '^Features.* atomics' "$root/proc/cpuinfo"; then
        extras="$extras,mediapipe"
        libraries="$libraries libegl1 libgles2"
    fi
}

install_libraries() {
    run apt-get update -qq
    if apt-cache show python3-picamera2 >/dev/null 2>&1; then
        libraries="$libraries python3-picamera2"
    else
        echo "apt has no python3-picamera2 here: a Pi's own camera will not be found, others will."
    fi
    # shellcheck disable=SC2086
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $libraries
}

# picamera2 is seen only with --system-site-packages, and only by the Python that apt made it for.
make_environment() {
    version=$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])' || true)
    if [ ! -x "$root$home/bin/python" ] || [ ! -d "$root$home/lib/$version" ]; then
        run /usr/bin/python3 -m venv --clear --system-site-packages "$home"
    fi
}

pip() {
    run env PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
        "$home/bin/python" -m pip "$@"
}

install_package() {
    if [ -d "$package" ]; then
        # Built from a copy: nothing of root's is left in the checkout, and nothing old is packed.
        copy=$(mktemp -d)
        trap 'rm -rf "$copy"' EXIT
        (cd "$package" && cp -R pyproject.toml README.md LICENSE THIRD_PARTY.md \
            edge train convert benchmarks "$copy") || fail "$package is no checkout of edge-fer"
        pip wheel -q --no-deps -w "$copy/wheel" "$copy"
        if [ -z "$dry" ]; then
            package=$(echo "$copy"/wheel/*.whl)
        fi
    fi
    echo "Installing edge-fer with $extras: some minutes"
    # shellcheck disable=SC2086
    pip install -q $newest "${package}[$extras]" "$numpy"
    # Of the same version, and yet another one, it may be.
    if [ -e "$package" ]; then
        pip install -q --no-deps --force-reinstall "$package"
    fi
    run ln -sf "$home/bin/edge-fer" "$link"
}

# The names of the services that edge-fer install-service wrote.
services() {
    grep -ls "$made_by" "$root$units"/*.service | sed 's|.*/||; s|\.service$||' || true
}

remove() {
    # The folder of a service that is removed already may still be there.
    names=$(printf '%s\nedge-fer\n' "$(services)" | sort -u)
    for name in $(services); do
        systemd disable --quiet --now "$name.service"
        run rm -f "$units/$name.service" "$units/multi-user.target.wants/$name.service"
        systemd daemon-reload
    done
    run rm -rf "$home" "$link"
    if [ -n "$purge" ]; then
        for name in $names; do
            run rm -rf "/var/lib/$name" "/var/lib/private/$name"
        done
        run rm -rf /etc/edge-fer
    else
        echo "What services wrote stays in /var/lib, their secrets in /etc/edge-fer; --purge removes them."
    fi
    echo "Packages of apt stay: other programs may need them."
}

action='' package='' dry='' purge=''
for word in "$@"; do
    case "$word" in
        -h | --help)
            sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//p;}' "$0"
            exit 0
            ;;
        --dry-run) dry=1 ;;
        --purge) purge=1 ;;
        -*) fail "unknown option $word; --help tells" ;;
        install | upgrade | uninstall)
            [ -z "$action$package" ] || fail "one thing at a time; --help tells"
            action=$word
            ;;
        *)
            [ -z "$package" ] || fail "one package at a time; --help tells"
            package=$word
            ;;
    esac
done
action=${action:-install}
[ -z "$purge" ] || [ "$action" = uninstall ] || fail "--purge goes with uninstall"
[ -z "$root" ] || dry=1
[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "root is needed: sudo $0 $*"

if [ "$action" = uninstall ]; then
    [ -z "$package" ] || fail "uninstall takes no package"
    [ -e "$root$home" ] || [ -n "$purge" ] || fail "edge-fer is not in $home"
    remove
    exit 0
fi

package=${package:-$(dirname "$0")/..}
case "$package" in
    */* | *.whl) [ -e "$package" ] || fail "there is no $package" ;;
esac
newest=''
if [ "$action" = upgrade ]; then
    [ -e "$root$home" ] || fail "edge-fer is not in $home: install it first"
    newest='--upgrade --upgrade-strategy eager'
fi
look_at_system
install_libraries
make_environment
install_package
for name in $(services); do
    systemd try-restart --no-block "$name.service"
done
run "$home/bin/edge-fer" doctor || fail "it is installed, but see above what is amiss" 1
