#!/bin/sh
# Finds a Python that retrainer is made for, and sets up .venv with it (tools/setup.py).
#   tools/setup.sh [PYTHON]
set -eu
cd "$(dirname "$0")/.."

served='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

if [ -n "${1:-}" ]; then
    candidates=$1
else
    candidates='.venv/bin/python python3.11 python3.13 python3.12 python3 python'
fi
seen=
for python in $candidates; do
    # Only running it shows that: a shim on the path may stand for a Python that is not there.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if "$python" -c "$served" 2>/dev/null; then
        exec "$python" tools/setup.py ${1:+--python-chosen}
    fi
    seen="${seen:+$seen, }$version ($python)"
done
echo "retrainer needs Python 3.11 (any Linux), or 3.12 or 3.13 (glibc 2.39 or newer, or macOS on" \
    "Arm), and found ${seen:-no Python${1:+ at $1}}: install one (on Debian 12 and 13: apt-get install" \
    "python3 python3-venv python3-dev g++) or name it: make PYTHON=/path/to/python3.11" >&2
exit 1
