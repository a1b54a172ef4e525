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

# One at a time in a checkout, as two would write the same files.  The lock is on a file that is
# there (appending nothing leaves it as it is), and ends with all that this shell has started.
exec 9>>pyproject.toml
if ! "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
    say "another set-up of this checkout is running; waiting for it"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if [ -n "$(find .venv/ready -newer requirements.txt -newer pyproject.toml \
        -newer scripts/setup.sh -newer scripts/packages.sh 2>/dev/null)" ]; then
        say "ready"
        exit 0
    fi
fi

# What is missing, as Debian and Ubuntu name it.
missing=
command -v memcached >/dev/null 2>&1 || missing="$missing memcached"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v setsid >/dev/null 2>&1 || missing="$missing util-linux"
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
# shellcheck disable=SC2086 # a list of package names
scripts/packages.sh $missing 9>&-

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
