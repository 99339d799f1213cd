#!/bin/sh
# Installs the system libraries that OpenCV and MediaPipe load, where they are missing and this user
# may install them; names them where not. Debian, Ubuntu, Raspberry Pi OS.
set -eu

loads() {
    PATH="$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | grep -q "$1"
}

glib=libglib2.0-0
apt-cache show libglib2.0-0t64 >/dev/null 2>&1 && glib=libglib2.0-0t64

missing=""
loads 'libGL\.so\.1 ' || missing="$missing libgl1"
loads 'libgthread-2\.0\.so\.0 ' || missing="$missing $glib"
loads 'libEGL\.so\.1 ' || missing="$missing libegl1"
loads 'libGLESv2\.so\.2 ' || missing="$missing libgles2"
[ -n "$(deploy/find-python.sh)" ] || missing="$missing python3 python3-venv"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "edge-fer needs these libraries, by their Debian names:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    echo "These packages are missing; install them and call make again:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing" >&2
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
