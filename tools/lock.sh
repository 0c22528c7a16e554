#!/usr/bin/env bash
# lock.sh [PYTHON]: writes tools/ci-requirements.txt, the versions and hashes that the job "locked" of
# the workflow "CI" installs: what builds the package, what it needs, and what its fast tests need,
# for Linux on x86-64 and Python 3.11, as new as they may be.
# lock.sh --check [PYTHON]: says whether what the file lists can be installed, each file with its
# hash, and is all that is needed. Installs nothing. PYTHON (by default python3.11) has pip 23 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."
file=tools/ci-requirements.txt
check=false
if [ "${1:-}" = --check ]; then
    check=true
    shift
fi
python=${1:-python3.11}
[ "$("$python" -c 'import sys; print(*sys.version_info[:2])')" = "3 11" ] ||
    { echo "lock.sh: the file is for Python 3.11, and $python is another" >&2; exit 1; }
if $check; then
    exec "$python" -m pip install --dry-run --quiet --ignore-installed --require-hashes -r "$file"
fi
report=$(mktemp)
wanted=$(mktemp)
trap 'rm -f "$report" "$wanted"' EXIT
"$python" - >"$wanted" <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    whole = tomllib.load(file)
project = whole["project"]
extras = project["optional-dependencies"]
wanted = [*whole["build-system"]["requires"], "cmake", "ninja", *project["dependencies"]]
wanted += [*extras["word"], *extras["test-fast"]]
print(*(one for one in wanted if not one.startswith(project["name"])), sep="\n")
PYTHON
"$python" -m pip install --dry-run --quiet --ignore-installed --report "$report" -r "$wanted"
# Names, versions and hashes, and nothing of where they came from: an index of one's own has the same
# files as PyPI.
"$python" - "$report" >"$file" <<'PYTHON'
import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as report:
    found = json.load(report)["install"]
print("# Written by tools/lock.sh, not by hand: Linux on x86-64, Python 3.11.")
for one in sorted(found, key=lambda one: one["metadata"]["name"].lower()):
    name = re.sub(r"[-_.]+", "-", one["metadata"]["name"]).lower()
    digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
    print(f"{name}=={one['metadata']['version']} \\\n    --hash=sha256:{digest}")
PYTHON
