#!/usr/bin/env bash
# check_msvc_syntax.sh PYTHON: reads the kernels as clang does for Visual C++ (its built-in macros,
# 64-bit Windows, no GNU extensions, no integer of 128 bits), with the headers of PyPI's ziglang,
# which PYTHON must have. Microsoft's own headers and compiler are not here, so these headers
# themselves are not understood in full: only what is wrong in this project's files counts, and
# nothing is compiled or run. Visual C++ itself builds the wheels in .github/workflows/wheels.yml.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
python=${1:?which Python, one with ziglang}
lib=$("$python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "lib"))') || {
  echo "msvc: NOT RUN: ziglang is missing ($python -m pip install ziglang)"
  exit 1
}
flags=(--target=x86_64-pc-windows-msvc -fms-extensions -fms-compatibility-version=19.38 -std=c++20
  -fsyntax-only -ferror-limit=0 -nostdinc -U__SIZEOF_INT128__ -DNOMINMAX -D__MINGW_ATTRIB_DEPRECATED=
  -Icpp/include -isystem "$lib/libcxx/include" -isystem "$lib/include"
  -isystem "$lib/libc/include/any-windows-any"
  -D_LIBCPP_NO_VCRUNTIME -D_LIBCPP_ABI_VERSION=1 -D_LIBCPP_ABI_NAMESPACE=__1
  -D_LIBCPP_HARDENING_MODE_DEFAULT=_LIBCPP_HARDENING_MODE_NONE
  -D_LIBCPP_ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_ENFORCE
  -D__cpp_lib_to_chars=201611L -D_LIBCPP_HAS_LIBRARY_ALIGNED_ALLOCATION=0 -D_LIBCPP_PSTL_BACKEND_SERIAL)
for yes in THREADS THREAD_API_WIN32 MONOTONIC_CLOCK WIDE_CHARACTERS UNICODE FILESYSTEM RANDOM_DEVICE \
  LOCALIZATION; do
  flags+=("-D_LIBCPP_HAS_$yes=1")
done
for no in THREAD_API_PTHREAD THREAD_API_EXTERNAL TERMINAL MUSL_LIBC TIME_ZONE_DATABASE \
  VENDOR_AVAILABILITY_ANNOTATIONS; do
  flags+=("-D_LIBCPP_HAS_$no=0")
done
# Microsoft's math.h has these for C++; the one used here leaves them to macros.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
{
  echo '#include <math.h>'
  for function in isnan isinf isfinite isnormal signbit; do
    printf '#undef %s\nextern "C++" { bool %s(float) noexcept; bool %s(double) noexcept; }\n' \
      "$function" "$function" "$function"
  done
} >"$place/math_functions.hpp"
flags+=(-include "$place/math_functions.hpp")
bad=0
n=0
for file in ${FILES:-cpp/src/*.cpp cpp/tests/kernel_bytes.cpp}; do
  n=$((n + 1))
  found=$("$python" -m ziglang clang "${flags[@]}" "$file" 2>&1 | grep -E '^cpp/[^:]*:[0-9]+:[0-9]+: (fatal )?error')
  [ -z "$found" ] || { printf '%s\n' "$found"; bad=1; }
done
[ "$bad" = 0 ] && echo "msvc: $n files read as for Visual C++, nothing wrong in them (syntax alone; not compiled, not run)"
exit "$bad"
