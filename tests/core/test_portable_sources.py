"""What only GCC and Clang understand stands in the C++ only where a guard names the compiler.

Visual C++ has no integer of 128 bits, no `__attribute__`, no `__builtin_` functions, no headers of
POSIX and no options of GCC; it is not here to say so. Arrays of variable length are refused where
the kernels are compiled with -Wpedantic -Werror (`make kernels`).
"""

from __future__ import annotations

import re
from pathlib import Path

CPP = Path(__file__).parents[2] / "cpp"
_OF_GNU = re.compile(
    r"__attribute__|__builtin_|__int128|__extension__|vector_size|#\s*pragma GCC|__restrict__"
    r"|typeof|\basm\b|\balloca\b|__PRETTY_FUNCTION__|(?<![:_\w])ssize_t\b|\?:"
    r"|#\s*include\s*<(?:unistd|pthread|dlfcn|strings|alloca|sys/|bits/|x86intrin|immintrin)"
)
# What only compilers that have them define.
_GUARD = re.compile(
    r"__GNUC__|__SIZEOF_INT128__|PYEXPR_VECTORS|PYEXPR_NUMBER_LANES|PYEXPR_SANITIZE|PYEXPR_SHA"
)
# What Visual C++ defines: it never sees the other branch.
_WINDOWS = re.compile(r"if\s+defined\(_WIN32\)")


def _unasked(text: str) -> list[int]:
    """Return the lines where an extension is used and no condition around asks for it."""
    guarded: list[bool] = []
    windows: list[bool] = []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        directive = re.match(r"\s*#\s*(if|elif|else|endif)", line)
        if directive is None:
            if _OF_GNU.search(line.partition("//")[0]) and not any(guarded):
                found.append(number)
            continue
        if directive[1] == "if":
            guarded.append(bool(_GUARD.search(line)) and "!defined" not in line)
            windows.append(bool(_WINDOWS.search(line)))
        elif directive[1] == "elif":
            guarded[-1] = bool(_GUARD.search(line)) and "!defined" not in line
        elif directive[1] == "else":
            guarded[-1] = windows[-1]
        else:
            guarded.pop()
            windows.pop()
    assert guarded == []
    return found


def test_extensions_are_guarded() -> None:
    sources = sorted([*CPP.rglob("*.cpp"), *CPP.rglob("*.hpp")])
    assert len(sources) > 50
    found = [
        f"{path.relative_to(CPP)}, line {line}"
        for path in sources
        for line in _unasked(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_an_extension_without_a_guard_is_found() -> None:
    text = "#if defined(__GNUC__)\nunsigned __int128 a;\n#else\nunsigned __int128 b;\n#endif\n"
    assert _unasked(text) == [4]
    for_windows = "#if defined(_WIN32)\nssize_t a;\n#else\nssize_t b;\n#endif\nssize_t c;\n"
    assert _unasked(for_windows) == [2, 6]
    for line in (
        "typedef int V __attribute__((vector_size(16)));", "#include <sys/mman.h>",
        "ssize_t n = 0;", "a ?: b", "if (__builtin_expect(x, 1)) {",
    ):  # fmt: skip
        assert _unasked(f"#if defined(_MSC_VER)\nint x;\n#endif\n{line}\n") == [4], line
    assert _unasked("py::ssize_t n; Py_ssize_t m;  // __builtin_\n") == []


def _unasked_options(text: str) -> list[int]:
    """Return the lines of a CMake file that give options of GCC to Visual C++."""
    # The conditions around a line; "" is the other branch of if(MSVC).
    conditions: list[str] = []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("#")[0].strip()
        if code.startswith("if("):
            conditions.append(code)
        elif code == "else()":
            conditions[-1] = "" if conditions[-1] == "if(MSVC)" else conditions[-1]
        elif code.startswith("endif("):
            conditions.pop()
        else:
            # Nobody asks Visual C++ for a sanitizer or a fuzzer of GCC and Clang.
            without = any(
                not one or re.search(r"NOT MSVC|SANITIZE|FUZZERS", one) for one in conditions
            )
            if not without and re.search(r"(?:^|[\s\"])-(?:f|W|m|O\d|U|D_)\w|LINKER:-", code):
                found.append(number)
    return found


def test_options_of_gcc_are_not_given_to_visual_cpp() -> None:
    text = (CPP.parent / "CMakeLists.txt").read_text(encoding="utf-8")
    assert _unasked_options(text) == []
    lines = ["if(MSVC)", "else()", "o(-Wall)", "endif()", 'o("-fno-math-errno")']
    assert _unasked_options("\n".join(lines)) == [5]
