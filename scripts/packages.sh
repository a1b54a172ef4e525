#!/bin/sh
# Installs missing packages of the system where it may, and says what to type where it may not.
# Arguments: names of packages, as Debian and Ubuntu have them.
set -eu
[ $# -gt 0 ] || exit 0

say() { printf 'setup: %s\n' "$*" >&2; }

if ! command -v apt-get >/dev/null 2>&1; then
    say "these programs are missing: $*; install them with your package manager, then try again"
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=
elif sudo -n true 2>/dev/null; then
    root=sudo
else
    say "these packages are missing: $*; type this, then try again:"
    say "    sudo apt-get update && sudo apt-get install -y $*"
    exit 1
fi
# One at a time: apt-get does not wait for another one that reads the lists of packages.
exec 8>>requirements.txt
flock 8
say "installing $*"
$root apt-get update -qq 8>&-
# policy-rc.d is respected where there is one; the services that Debian starts are not used.
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "$@" >/dev/null 8>&-
