#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A bare board becomes a node: ./flash.sh --board esp32-devkitc --kit air --port /dev/ttyUSB0 --nodes DIR --firmware FILE
# The first time it installs Lamppost into .venv beside it, which needs a network; after that none is needed, until the
# checkout is updated: what pyproject.toml asks for may be another then.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="$here/.venv"
lamppost="$venv/bin/lamppost"

if [ ! -x "$lamppost" ] || [ "$here/pyproject.toml" -nt "$lamppost" ]; then
    python="${PYTHON:-python3}"
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "error: Lamppost needs Python 3.11 or later" >&2
        echo "hint: install it, and name it if it is not python3: PYTHON=python3.12 $0" >&2
        exit 1
    fi
    echo "installing Lamppost into $venv (once, and after an update)" >&2
    if ! { "$python" -m venv "$venv" && "$venv/bin/pip" install --quiet -e "$here"; } >&2; then
        echo "error: Lamppost could not be installed into $venv" >&2
        echo "hint: connect to a network and run this once before you climb; on Debian: apt install python3-venv" >&2
        exit 1
    fi
    touch "$lamppost"  # pip leaves alone what has not changed
fi

exec "$lamppost" flash "$@"
