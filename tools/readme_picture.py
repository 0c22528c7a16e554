"""Draw the README's picture from the README's example: python tools/readme_picture.py"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert found is not None
    names: dict[str, object] = {}
    exec(compile(found[1], "README.md", "exec"), names)
    names["result"].plot().savefig(ROOT / "docs" / "readme.png", dpi=140)


if __name__ == "__main__":
    main()
