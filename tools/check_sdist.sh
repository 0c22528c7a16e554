#!/usr/bin/env bash
# check_sdist.sh SDIST [WHEELS]: builds a wheel from a source distribution without the network, to
# show that nothing is missing in it and that nothing is downloaded. Only the build requirements of
# pyproject.toml are fetched first, into WHEELS (by default build/sdist/wheels) if it is not there.
set -euo pipefail
sdist=$(realpath "${1:?usage: tools/check_sdist.sh SDIST [WHEELS]}")
cd "$(dirname "$0")/.."
place=$PWD/build/sdist
wheels=${2:-$place/wheels}
python=${PYTHON:-python3}
mkdir -p "$place"
[ -d "$wheels" ] || "$python" -m pip download -q -d "$wheels" "scikit-build-core>=0.10" "pybind11>=3" cmake ninja
rm -rf "$place/made"
offline=(env "PIP_CONFIG_FILE=/dev/null" PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL=)
# A network of its own, which has none: where the system lets us.
if unshare -rn true 2>/dev/null; then
  offline=(unshare -rn "${offline[@]}")
  how="in a network of its own without connections"
else
  how="with pip's --no-index alone: this system makes no networks of one's own"
fi
"${offline[@]}" "$python" -m pip wheel -q --no-index --find-links "$wheels" --no-deps --no-cache-dir \
  -w "$place/made" "$sdist"
ls "$place/made"/*.whl
echo "built $how"
