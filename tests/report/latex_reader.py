"""A strict reader of the LaTeX that we write: what it does not know is an error."""

from __future__ import annotations

import re

# What TeX prints for what we write.
_PRINTED = {
    r"\textbackslash{}": "\\", r"\{": "{", r"\}": "}", r"\$": "$", r"\&": "&", r"\#": "#",
    r"\%": "%", r"\_": "_", r"\textasciicircum{}": "^", r"\textasciitilde{}": "~",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|",
    r"\texttt{\char34}": '"', "---{}": "—", "--{}": "–", "-{}": "-", ",{}": ",",
    r"\ldots{}": "…", "{[}": "[", "{]}": "]", "{*}": "*", "{'}": "'", "{`}": "`",
    "---": "—", "--": "–", "~": "\u00a0",
    "$-$": "−", r"$\infty$": "∞", "$^2$": "²", r"$\times$": "×", r"$\pm$": "±", r"$\geq$": "≥",
    r"$\leq$": "≤", r"$\surd$": "√", r"$\Delta$": "Δ", r"$\alpha$": "α", r"$\varepsilon$": "ε",
    r"$\eta$": "η", r"$\theta$": "θ", r"$\lambda$": "λ", r"$\chi$": "χ", r"$\rho$": "ρ",
    r"$\sigma$": "σ", r"$\beta$": "β", r"$\mu$": "μ", r"$\Sigma$": "Σ", r"$\omega$": "ω",
    r"$\Omega$": "Ω", r"$\to$": "→",
}  # fmt: skip
_TOKEN = re.compile("|".join(re.escape(t) for t in sorted(_PRINTED, key=len, reverse=True)))
_SPECIAL = re.compile(r"[\\{}$&#%_^~\[\]*|<>\"]")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w+)\}")


def printed(text: str) -> str:
    """Return what TeX prints for escaped text; a bare special sign is an error."""
    # Symbols of statistics stand in italics.
    text = re.sub(r"\\textit\{([A-Za-z]+)\}", r"\1", text)
    at, out = 0, ""
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token:
            out += _PRINTED[token[0]]
            at = token.end()
        else:
            assert not _SPECIAL.match(text[at]), f"bare {text[at]!r} in {text!r}"
            out += text[at]
            at += 1
    return out


def unwrapped(cell: str) -> tuple[str, int]:
    """Return a cell's text without the commands around it, and how many columns it spans."""
    cell, width = cell.strip(), 1
    spanning = re.fullmatch(r"\\multicolumn\{(\d+)\}\{c\}\{(.*)\}", cell)
    if spanning:
        width, cell = int(spanning[1]), spanning[2]
    stacked = re.fullmatch(r"\\shortstack\{(.*)\}", cell)
    if stacked:
        cell = stacked[1].replace(r" \\ ", " ")
    cell = re.sub(r"^\\text(?:bf|it)\{(.*?)\}(?=[^}]*$)", r"\1", cell) if (
        cell.startswith((r"\textbf{", r"\textit{"))
    ) else cell  # fmt: skip
    return cell, width


def rows(text: str) -> list[list[str]]:
    """Return the printed cells of every row of the only table; all must have its columns."""
    opened = []
    for word, name in _ENVIRONMENT.findall(text):
        if word == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    columns = re.search(r"\\begin\{(?:tabular|longtable)\}\{@\{\}(.+)@\{\}\}", text)
    assert columns
    aligned = re.sub(r">\{\\raggedright\\arraybackslash\}p\{\d+pt\}", "l", columns[1])
    assert set(aligned) <= {"l", "r"}
    found = []
    body = text[columns.end() : re.search(r"\\end\{(?:tabular|longtable)\}", text).start()]  # type: ignore[union-attr]
    for line in body.splitlines():
        if not line.endswith(r" \\") or line.startswith(r"\caption"):
            assert re.fullmatch(
                r"|\\(toprule|midrule|bottomrule|endhead|endfirsthead|endfoot|caption\{.*\} \\\\)"
                r"|(\\cmidrule\(lr\)\{\d+-\d+\})+",
                line,
            ), line
            continue
        cells, width = [], 0
        for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\")):
            inner, span = unwrapped(cell)
            cells.append(printed(inner))
            width += span
        assert width == len(aligned), line
        found.append(cells)
    return found
