#!/usr/bin/env bash
# make_sbom.sh FOLDER FILE: installs pyexpr from the wheels of FOLDER into an empty environment and
# writes what that brings, as CycloneDX (JSON), by PyPI's cyclonedx-bom. The extension links nothing but
# the C++ and C libraries, and is compiled with pybind11's headers.
set -euo pipefail
folder=${1:?usage: tools/make_sbom.sh FOLDER FILE}
file=${2:?usage: tools/make_sbom.sh FOLDER FILE}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/tool"
"$place/tool/bin/python" -m pip install -q cyclonedx-bom
# Without pip, which would be listed and is not brought by pyexpr.
python3 -m venv --without-pip "$place/installed"
python3 -m pip --python "$place/installed/bin/python" install -q --only-binary :all: \
  --find-links "$folder" "pyexpr-stats"
"$place/tool/bin/cyclonedx-py" environment --pyproject pyproject.toml --mc-type library \
  --output-reproducible -o "$file" "$place/installed/bin/python"
python3 - "$file" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    content = json.load(file)
names = [component["name"] for component in content["components"]]
assert {"numpy", "pandas", "scipy"} <= set(names), names
print(f"{sys.argv[1]}: {len(names)} components, CycloneDX {content['specVersion']}")
PYTHON
