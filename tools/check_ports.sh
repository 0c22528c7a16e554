#!/usr/bin/env bash
# check_ports.sh [PORT ...]: builds the C++ kernels for other processors and systems, runs their tests
# there, and compares the bytes of what they compute with those of this machine.
#   plain    this machine, without integers of 128 bits and SSE2: the forms that Visual C++ compiles
#   aarch64  ARM64 Linux, by g++-aarch64-linux-gnu and qemu-user
#   windows  a program for Windows, by g++-mingw-w64-x86-64-posix and wine64
#   msvc     the headers and sources as clang reads them for Visual C++: syntax alone
# Without arguments all. A port whose tools are missing is named and makes the script fail, unless
# PORTS_MAY_BE_MISSING=1. TESTS=0 compares the bytes and runs no tests.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=build/ports
failed=0
missing=0

say() { printf '%s\n' "$*"; }

configure_and_build() { # NAME CMAKE_ARGUMENT...
  local name=$1 targets=(kernel_bytes)
  shift
  [ "${TESTS:-1}" = 0 ] || [ "$name" = native ] || targets+=(kernel_tests)
  cmake -S . -B "$build/$name" -DCMAKE_BUILD_TYPE=Release -DPYEXPR_BUILD_TESTS=ON \
    -DDOCTEST_INCLUDE_DIR="$PWD/$build/include" "$@" >"$build/$name.log" 2>&1 &&
    cmake --build "$build/$name" --target "${targets[@]}" --parallel "${JOBS:-2}" >>"$build/$name.log" 2>&1 ||
    { tail -20 "$build/$name.log"; return 1; }
}

needs() { # PORT PACKAGE COMMAND...
  local port=$1 package=$2 command
  shift 2
  for command in "$@"; do
    if ! command -v "$command" >/dev/null; then
      say "$port: NOT RUN: $command is missing (Debian: apt-get install --no-install-recommends $package)"
      missing=1
      return 1
    fi
  done
}

compare() { # PORT SUFFIX RUNNER...
  local port=$1 suffix=$2 folder=$build/$1
  shift 2
  if ! "$@" "$folder/kernel_bytes$suffix" | tr -d '\r' >"$folder/bytes.txt"; then
    say "$port: FAILED: kernel_bytes ended with an error"
    failed=1
    return
  fi
  say "$port: $(comm -12 <(sort "$build/native/bytes.txt") <(sort "$folder/bytes.txt") | wc -l) of" \
    "$(wc -l <"$build/native/bytes.txt") lines as on this machine"
  # The last bit of exp, log and log1p is the C library's: such a line may differ, and says so.
  diff "$build/native/bytes.txt" "$folder/bytes.txt" | grep '^[<>]' | grep '  with ' |
    sed "s/^/$port: differs by its C library: /"
  if diff <(grep -v '  with ' "$build/native/bytes.txt") <(grep -v '  with ' "$folder/bytes.txt"); then
    [ "$(wc -l <"$build/native/bytes.txt")" = "$(wc -l <"$folder/bytes.txt")" ] ||
      { say "$port: FAILED: another number of lines"; failed=1; }
  else
    say "$port: FAILED: other bytes"
    failed=1
  fi
  [ "${TESTS:-1}" = 0 ] && return
  if ! "$@" "$folder/kernel_tests$suffix" --no-intro | tr -d '\r' | tail -3 | sed "s/^/$port: /"; then
    say "$port: FAILED: its tests"
    failed=1
  fi
}

port_plain() {
  configure_and_build plain -DCMAKE_CXX_FLAGS="-U__SIZEOF_INT128__ -U__SSE2__" ||
    { say "plain: FAILED to build"; failed=1; return; }
  compare plain "" env
}

port_aarch64() {
  needs aarch64 "g++-aarch64-linux-gnu qemu-user" aarch64-linux-gnu-g++ qemu-aarch64 || return
  configure_and_build aarch64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static ||
    { say "aarch64: FAILED to build"; failed=1; return; }
  compare aarch64 "" qemu-aarch64
}

port_windows() {
  needs windows "g++-mingw-w64-x86-64-posix wine64 wine" x86_64-w64-mingw32-g++-posix wine || return
  configure_and_build windows -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=AMD64 \
    -DCMAKE_CXX_COMPILER=x86_64-w64-mingw32-g++-posix -DCMAKE_EXE_LINKER_FLAGS=-static ||
    { say "windows: FAILED to build"; failed=1; return; }
  # A Windows of its own: nothing of the user's is read or written.
  local prefix
  prefix=$(realpath "$build")/wine
  compare windows .exe env WINEPREFIX="$prefix" WINEDEBUG=-all wine
}

port_msvc() {
  local python=${PYTHON:-python3}
  if ! "$python" -c 'import ziglang' 2>/dev/null; then
    say "msvc: NOT RUN: ziglang is missing ($python -m pip install ziglang, or PYTHON=another)"
    missing=1
    return
  fi
  tools/check_msvc_syntax.sh "$python" || failed=1
}

# A folder with doctest alone: beside it, /usr/include has this machine's other headers.
doctest=${DOCTEST_INCLUDE_DIR:-/usr/include}/doctest/doctest.h
[ -e "$doctest" ] || { say "doctest is missing (Debian: apt-get install doctest-dev)"; exit 1; }
mkdir -p "$build/include/doctest"
cp "$doctest" "$build/include/doctest/"
configure_and_build native || { say "this machine: FAILED to build"; exit 1; }
"$build/native/kernel_bytes" >"$build/native/bytes.txt" || exit 1
sed 's/^/this machine: /' "$build/native/bytes.txt"
[ $# -gt 0 ] || set -- plain aarch64 windows msvc
for port in "$@"; do
  case $port in
    plain | aarch64 | windows | msvc) "port_$port" ;;
    *) say "$port: there is no such port"; failed=1 ;;
  esac
done
[ "$missing" = 0 ] || [ "${PORTS_MAY_BE_MISSING:-0}" = 1 ] || failed=1
exit "$failed"
