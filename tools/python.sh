#!/bin/sh
# Prints the Python that `make setup` builds the environment with: the first one here that is new enough.
for python in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "Trialbook needs Python 3.11 or newer, but found $("${PYTHON:-python3}" --version 2>&1)." >&2
echo "Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2
exit 1
