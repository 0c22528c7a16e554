"""Labels as Unicode allows them, most of them such as mean something somewhere."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st

#: What Markdown, HTML, TeX, XML, spreadsheets, terminals, TOML or JSON take for more than text.
PARTS: Final = (
    "![x](http://e.org/y.png)", "[x](y)", "[x]", "[x]: y", "[^1]", "&amp;", "&#42;", "&lt", "|",
    "\\", "*", "**", "_", "__a__", "~~b~~", "`c`", "<b>", "</table>", "<!--", "-->",
    "<script>alert(1)", "http://e.org", "www.e.org", "a@b.org", "#", "- ", "1. ", "> ", "=",
    "=1+1", "---", "$x$", "\\input{x}", "\\end{tabular}", "{", "}", "%", "^^M", "--", "\u2013",
    "\u2014", "-", ",,", "?`",
    '"', "'", '"""', "'''", "\x1b[31m", "\x1b]0;t\x07", "\x9b", "\x7f", "\r", "\n", "\t", "\r\n",
    "\xa0", "\xad", "\u200b", "\u200f", "\u2028", "\u202e", "\u2066", "\ufeff", "\ufffe",
    "\U0001f469\u200d\U0001f52c", "e\u0301", "\xe9", "\u75bc", "\u05e9", "a", "1", ".5", "-1",
    "e5", "nan", "NA", "None", "true", " ", ",", ";", ":", ": ", "/", "..", "~", "^", "!", "(",
    ")", "[", "]", "+", "@",
)  # fmt: skip
_PART = st.one_of(st.sampled_from(PARTS), st.text(max_size=4))
#: Any text; it may hold NUL.
ANY: Final = st.lists(_PART, min_size=1, max_size=5).map("".join)


def examples(n: int) -> settings:
    """Return how many examples a test takes: `n`, times PYEXPR_EXAMPLES where that is set."""
    times = int(os.environ.get("PYEXPR_EXAMPLES", "1"))
    return settings(max_examples=n * times, deadline=None)
