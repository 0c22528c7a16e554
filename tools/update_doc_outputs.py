"""Insert the current output of each block of code into its page of the documentation.

    python tools/update_doc_outputs.py docs/tutorial.md ...

Read the change before you commit it, because the tests compare the pages with these outputs. A
block with a line ``...`` is not changed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from documentation.pages import run


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            found = run(path, Path(folder))
        page = path.read_text(encoding="utf-8")
        for block_output in reversed(found):
            if "...\n" not in block_output.wanted and block_output.wanted != block_output.printed:
                page = (
                    page[: block_output.block.start]
                    + block_output.printed
                    + page[block_output.block.end :]
                )
                print(f"{path}, line {block_output.block.line}: changed")
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
