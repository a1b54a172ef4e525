#!/bin/sh
# Pins every dependency that pyproject.toml names, and theirs, in requirements.txt.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet uv
"$scratch/venv/bin/uv" pip compile pyproject.toml --extra test --extra check --universal \
    --python-version 3.11 --no-emit-index-url --quiet --no-header --output-file "$scratch/pins"
beside() { # NAME FILE WORDS: what an extra of its own needs, held to the same pins
    "$scratch/venv/bin/uv" pip compile pyproject.toml --extra "$1" --constraint "$scratch/pins" \
        --universal --python-version 3.11 --no-emit-index-url --no-annotate --quiet --no-header \
        --output-file "$scratch/$1"
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
        '# The image installs the part that the wheel itself asks for, held to the same pins.'
    cat "$scratch/pins"
} >requirements.txt
