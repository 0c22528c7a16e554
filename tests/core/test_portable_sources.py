"""What only GCC and Clang understand stands in the C++ only where the compiler was asked for it.

Visual C++ has no integer of 128 bits, no `__attribute__` and no `__builtin_` functions; it is not
here to say so.
"""

from __future__ import annotations

import re
from pathlib import Path

CPP = Path(__file__).parents[2] / "cpp"
_OF_GNU = re.compile(r"__attribute__|__builtin_|__int128|__extension__|vector_size|#\s*pragma GCC")
# What is defined for compilers alone that have them.
_ASKED = re.compile(
    r"__GNUC__|__SIZEOF_INT128__|PYEXPR_VECTORS|PYEXPR_NUMBER_LANES|PYEXPR_SANITIZE"
)


def _unasked(text: str) -> list[int]:
    """Return the lines where an extension is used and no condition around asks for it."""
    asked: list[bool] = []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        directive = re.match(r"\s*#\s*(if|elif|else|endif)", line)
        if directive is None:
            if _OF_GNU.search(line.partition("//")[0]) and not any(asked):
                found.append(number)
            continue
        if directive[1] == "if":
            asked.append(bool(_ASKED.search(line)) and "!defined" not in line)
        elif directive[1] == "elif":
            asked[-1] = bool(_ASKED.search(line)) and "!defined" not in line
        elif directive[1] == "else":
            asked[-1] = False
        else:
            asked.pop()
    assert asked == []
    return found


def test_extensions_are_asked_for() -> None:
    sources = sorted([*CPP.rglob("*.cpp"), *CPP.rglob("*.hpp")])
    assert len(sources) > 50
    found = [
        f"{path.relative_to(CPP)}, line {line}"
        for path in sources
        for line in _unasked(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_an_extension_that_nobody_asked_for_is_found() -> None:
    text = "#if defined(__GNUC__)\nunsigned __int128 a;\n#else\nunsigned __int128 b;\n#endif\n"
    assert _unasked(text) == [4]
    assert _unasked("typedef int V __attribute__((vector_size(16)));\n") == [1]
