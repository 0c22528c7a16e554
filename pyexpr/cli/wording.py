"""Sentences of the package as the command line says them: its options, not arguments."""

from __future__ import annotations

import re
from collections.abc import Collection

# What is quoted is the user's own: names of columns, labels, files.
_QUOTED = re.compile(r"(?<!\w)(['\"])((?:(?!\1).)*)\1(?!\w)")
_MARK = "\x01"
_ARGUMENT = re.compile(
    rf"(?<![\w./\\-])([a-z][a-z0-9_]*)="
    rf"(?:(?P<value>True|{_MARK}\d+{_MARK}|-?\d[\d.e+-]*\d|\d)(?!\w)|\[(?P<several>[^\[\]]*)\]"
    rf"|(?![\w=(\[{_MARK}]))"
)


def with_options(text: str, options: Collection[str]) -> str:
    """Return a sentence with the arguments that are among the `options` written as these.

    What the command has no option for stays as Python writes it.

    Examples
    --------
    >>> with_options('cluster="subject" respects subjects; see seed=', ["--cluster"])
    '--cluster subject respects subjects; see seed='
    >>> with_options("name in targets= what 'targets=' is, n_boot=200", ["--targets", "--n-boot"])
    "name in --targets what 'targets=' is, --n-boot 200"
    """
    own = list(_QUOTED.finditer(text))
    for i, found in reversed(list(enumerate(own))):
        text = f"{text[: found.start()]}{_MARK}{i}{_MARK}{text[found.end() :]}"

    def unmarked(part: str, group: int) -> str:
        return re.sub(rf"{_MARK}(\d+){_MARK}", lambda mark: own[int(mark[1])][group], part)

    def as_typed(part: str) -> str:
        plain = unmarked(part, 2)
        return plain if re.fullmatch(r"[\w.,+-]+", plain) else unmarked(part, 0)

    def option(found: re.Match[str]) -> str:
        name = f"--{found[1].replace('_', '-')}"
        if name not in options:
            return found[0]
        if found["several"] is not None:
            listed = [as_typed(part.strip()) for part in found["several"].split(",")]
            return f"{name} {','.join(listed)}"
        if found["value"] in (None, "True"):
            return name
        return f"{name} {as_typed(found['value'])}"

    return unmarked(_ARGUMENT.sub(option, text), 0)
