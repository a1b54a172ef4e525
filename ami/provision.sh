#!/bin/sh
# Makes a plain Debian 12 machine one that computes chunks.  Runs on the builder, from the unpacked
# bundle: the wheel, the pins, the units and release.py lie beside it.  It may be run again.
# It writes below $GRIDWELL_HOME alone; only package manager and systemctl do more.
set -eu
home=${GRIDWELL_HOME:-/opt/gridwell}
here=$(cd "$(dirname "$0")" && pwd)
wheel=$(echo "$here"/gridwell_worker-*.whl)
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
# Every package that a worker needs is listed, so pip looks for no other, and it takes only files
# whose hashes are listed.
"$python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --only-binary :all: -r "$here/requirements.txt"
# A dry run installs nothing, but fails if a package that the wheel requires is missing or has another
# version.  What runs is the release, unpacked and verified at each boot.
"$python" -m pip install --quiet --disable-pip-version-check --no-index --dry-run "$wheel"
# Nothing needs the programs that install packages any more.
"$python" -m pip uninstall --quiet --disable-pip-version-check --yes setuptools pip

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

# Each boot writes its own.
rm -rf "$home/run"
mkdir "$home/run"
chown -R gridwell "$home/run" "$home/releases"
say "done"
