#!/bin/sh
# What only tests need of the system: a browser, and a proxy to stand in front of the web tier.
# Without them some tests are skipped, and say so; in CI they are needed.
set -eu
cd "$(dirname "$0")/.."
missing=
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
# shellcheck disable=SC2086 # a list of package names
scripts/packages.sh $missing || [ -z "${CI:-}" ]
touch .venv/testers
