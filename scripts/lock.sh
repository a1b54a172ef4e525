#!/bin/sh
# Pins every dependency that pyproject.toml names, and theirs, in requirements.txt: each with the
# hashes of its files for every platform, and none that has no wheel, as building one runs its code.
# The host that they come from is recorded nowhere.
set -eu
UV=0.13.9
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet "uv==$UV"
pins() { # FILE ARGUMENTS...
    file=$1
    shift
    "$scratch/venv/bin/uv" pip compile pyproject.toml "$@" --universal --python-version 3.11 \
        --generate-hashes --only-binary :all: --no-emit-index-url --quiet --no-header \
        --output-file "$file"
}
pins "$scratch/pins" --extra test --extra check
beside() { # NAME FILE WORDS: what an extra of its own needs, held to the same pins
    pins "$scratch/$1" --extra "$1" --constraint "$scratch/pins" --no-annotate
    {
        printf '%s\n' "# What $3, this library included, pinned (make lock)."
        cat "$scratch/$1"
    } >"$2"
}
beside bench benchmarks/requirements.txt 'the benchmarks need'
beside notebook docs/examples/requirements.txt 'executing the notebooks needs'
{
    printf '%s\n' \
        '# Every package that running locally, testing and checking need, pinned (make lock).' \
        '# The image installs the part that a worker needs, held to the same pins.'
    cat "$scratch/pins"
} >requirements.txt
