#!/bin/sh
# Makes everything that running and testing on one machine need: the virtual environment with the
# pinned packages, and the few programs that come from the system's package manager.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

python=
for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Python 3.11 or newer is needed and was not found on PATH; install it and try again"
    exit 1
fi

# What is missing, as Debian and Ubuntu name it.
missing=
command -v memcached >/dev/null 2>&1 || missing="$missing memcached"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v setsid >/dev/null 2>&1 || missing="$missing util-linux"
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
# shellcheck disable=SC2086 # a list of package names
scripts/packages.sh $missing

if [ ! -x .venv/bin/python ]; then
    say "creating the virtual environment .venv with $("$python" --version)"
    "$python" -m venv .venv
fi
say "installing the pinned packages"
# All that is needed is listed, so nothing else is looked for; and no file but those whose hashes
# are listed is taken.
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --only-binary :all: -r requirements.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/ready
say "ready"
