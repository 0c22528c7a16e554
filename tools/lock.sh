#!/usr/bin/env bash
# Write the versions and hashes that the workflows install: tools/ci-requirements.txt.
#
#     tools/lock.sh [PYTHON]     all of them as new as they may be; needs the network, a minute
#
# Run it with the oldest Python that is supported: what is chosen for it is there for newer ones. The
# hashes are those of every file of a version, so the list serves Linux and macOS alike. Torch and R
# are not in it. Renew it before a release, and when a workflow says that a package is missing:
# `make test-newest` tells beforehand whether the newest versions pass the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3.11}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"$python" -m venv "$tools"
"$tools/bin/python" -m pip install -q --upgrade pip pip-tools
# What builds the package without isolation, what it needs, and what the fast tests and lint need.
"$python" - >"$tools/wanted.in" <<'PYTHON'
import tomllib

whole = tomllib.load(open("pyproject.toml", "rb"))
project, extras = whole["project"], whole["project"]["optional-dependencies"]
wanted = [*whole["build-system"]["requires"], "setuptools>=77", "cmake", "ninja"]
wanted += [*project["dependencies"], *extras["word"], *extras["test-fast"], *extras["lint"]]
print(*(one for one in wanted if not one.startswith(project["name"])), sep="\n")
PYTHON
"$tools/bin/python" -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade \
    --output-file "$tools/lock.txt" "$tools/wanted.in"
{
    echo "# Versions and hashes that the workflows install; written by tools/lock.sh, not by hand."
    grep -v '^#' "$tools/lock.txt"
} >tools/ci-requirements.txt
