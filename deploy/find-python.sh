#!/bin/sh
# Prints the first Python here that edge-fer runs on (3.11 to 3.13) and that can make a virtual
# environment; nothing where there is none.
for python in python3 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
