#!/usr/bin/env bash
# Run the tests in an environment of their own, .venv-$1: with the "lowest" versions of all
# requirements that pyproject.toml allows, or the "newest" that there are. $2 is the Python to
# make it with, the rest goes to pytest. pip keeps an environment that is there already.
set -euo pipefail
which=$1 python=$2
shift 2
venv=.venv-$which
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip)
"${pip[@]}" install -q --no-compile --upgrade pip "scikit-build-core>=0.10" "pybind11>=3" "setuptools>=77" cmake ninja
# PyAV reads and writes the small videos of many tests; torch is left out.
# A directory of its own for the build: that of .venv stays as it is.
package=(--no-build-isolation -C "build-dir=build/$which" -e '.[test]' av)
if [ "$which" = lowest ]; then
    "$venv/bin/python" tools/lowest.py > "$venv/constraints.txt"
    "${pip[@]}" install -q --no-compile --prefer-binary -c "$venv/constraints.txt" "${package[@]}"
else
    "${pip[@]}" install -q --no-compile --prefer-binary --upgrade --upgrade-strategy eager "${package[@]}"
fi
"${pip[@]}" freeze --exclude-editable > "$venv/versions.txt"
tools/install_r.sh "$venv" tests || echo "pyexpr: without R, the tests that need it fail." >&2
echo "pyexpr: the $which versions are in $venv/versions.txt. Left out: the tests that need torch" \
    "(deep models, resampled videos), of the documentation (Sphinx), of types (mypy), of the R package, and of the coverage study."
exec "$venv/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile \
    --no-loadscope-reorder "$@"
