#!/bin/sh
# Makes a plain Debian 12 machine one that computes chunks.  Runs on the builder, from the unpacked
# bundle: the wheel, the pins, the units and release.py lie beside it.  It may be run again.
# It writes below $GRIDWELL_HOME alone; only package manager and systemctl do more.
set -eu
home=${GRIDWELL_HOME:-/opt/gridwell}
here=$(cd "$(dirname "$0")" && pwd)
wheel=$(echo "$here"/gridwell-*.whl)
release=$(sha256sum "$wheel" | cut -d ' ' -f 1)

say() { echo "provision: $*"; }

say "packages of the system"
export DEBIAN_FRONTEND=noninteractive
# The first boot's own updates may hold the lock for a while.
apt-get -o DPkg::Lock::Timeout=300 update -qq
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends ca-certificates curl python3 python3-venv

say "the user that units run as"
id -u gridwell >/dev/null 2>&1 ||
    useradd --system --home-dir "$home" --no-create-home --shell /usr/sbin/nologin gridwell

say "python packages, pinned"
mkdir -p "$home/bin" "$home/releases" "$home/units" "$home/run"
[ -n "${PIP_CACHE_DIR:-}" ] || export PIP_NO_CACHE_DIR=1
python3 -m venv "$home/venv"
python="$home/venv/bin/python"
# The wheel says which packages it needs, the pins say which versions of them, and which files: pip
# checks hashes only where all that it installs is listed, so they are checked here.
wheels="$home/wheels"
rm -rf "$wheels"
mkdir "$wheels"
sed -e '/^ *--hash=/d' -e 's/ *\\$//' "$here/requirements.txt" >"$wheels/versions.txt"
"$python" -m pip download --quiet --disable-pip-version-check --only-binary :all: \
    --constraint "$wheels/versions.txt" --dest "$wheels" "$wheel"
for file in "$wheels"/*.whl; do
    [ "${file##*/}" != "${wheel##*/}" ] || continue
    sum=$(sha256sum "$file" | cut -d ' ' -f 1)
    grep -q -e "--hash=sha256:$sum" "$here/requirements.txt" || {
        say "${file##*/} has sha256 $sum, which is none of requirements.txt's; nothing of it is installed"
        exit 1
    }
done
"$python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$wheels" "$wheel"
rm -rf "$wheels"
# The wheel itself goes again: what runs is the release, verified at each boot.  So do the programs
# that install packages, which nothing needs any more.
"$python" -m pip uninstall --quiet --disable-pip-version-check --yes gridwell setuptools pip

say "release $release"
cp "$wheel" "$home/releases/$release.whl"
cp "$here/release.py" "$here/deadline.sh" "$home/bin/"
GRIDWELL_RELEASE=$release "$python" -P "$home/bin/release.py"

say "smoke test"
PYTHONPATH="$home/run/release" OPENBLAS_NUM_THREADS=1 "$python" -P -m app_tier smoke

say "units"
cp "$here"/gridwell-*.service "$home/units/"
systemctl enable "$home/units/gridwell-deadline.service" \
    "$home/units/gridwell-release.service" "$home/units/gridwell-worker.service"

# What a boot writes, it must find fresh.
rm -rf "$home/run"
mkdir "$home/run"
chown -R gridwell "$home/run" "$home/releases"
say "done"
