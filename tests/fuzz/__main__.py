"""Fuzz one of the targets written in Python: python -m fuzz TARGET --seconds 60; `make fuzz`.

With atheris (PyPI has it for some versions of Python on Linux) the mutations follow coverage.
Without it files of the corpus are changed at random. What fails is written to the corpus, from
where the tests take it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
TARGETS = (
    "bindings", "model_syntax", "table", "openface", "layout", "study_file", "saved_result",
    "stage", "report",
)  # fmt: skip
PIECES = (
    b",", b"\n", b"\r", b'"', b"=", b"~", b"=~", b"[", b"]", b"{", b"}", b"#", b"\0", b"\xff",
    b"nan", b"1e999", b"-", b"0" * 40, b"\xef\xbb\xbf", b"\xc3", b"'" * 3, b"[[" * 50,
    b"\\u0000", b" ",
)  # fmt: skip


def target(name: str) -> Callable[[bytes], str]:
    """Return the function of bytes; imported here, so that atheris can instrument it."""
    if name == "bindings":
        from fuzz.binding_calls import one_call

        return one_call
    if name == "report":
        from fuzz.reports import one_report, study_results

        results = study_results(ROOT / "build" / "fuzz" / "study")
        return lambda data: one_report(results, data)
    from fuzz.parsers import one_parse

    return lambda data: one_parse(name, data)


def changed(draw: random.Random, data: bytes, *, most: int = 20000) -> bytes:
    """Change bytes in a few places; of what is made, keep `most` bytes."""
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at = draw.randrange(len(made) + 1)
        kind = draw.randrange(5)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            made[at:at] = draw.choice(PIECES)
        elif kind == 2:
            del made[at : at + draw.randrange(1, 20)]
        elif kind == 3:
            made[at:at] = made[draw.randrange(len(made) + 1) :][:30]
        elif at < len(made):
            made[at] = draw.randrange(256)
    return bytes(made[:most])


def by_chance(name: str, seconds: float, seed: int) -> int:
    """Mutate the corpus without looking at coverage; return the number of executions."""
    one = target(name)
    draw = random.Random(seed)
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        data = changed(draw, draw.choice(seeds))
        try:
            one(data)
        except Exception:
            found = CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:16]}"
            found.write_bytes(data)
            traceback.print_exc()
            print(f"{name}: {found} after {n} executions", flush=True)
            sys.exit(1)
        n += 1
    print(f"{name}: {n} executions by chance in {seconds:g} s, nothing found", flush=True)
    return n


def by_coverage(name: str, seconds: float, seed: int) -> None:
    """Hand the target to atheris, which ends the process."""
    import atheris

    # Modules of an editable install have a loader of their own, which atheris does not instrument.
    sys.path.insert(0, str(ROOT))
    standard = (BuiltinImporter, FrozenImporter, PathFinder)
    sys.meta_path.sort(key=lambda finder: finder not in standard)
    with atheris.instrument_imports(include=["pyexpr", "fuzz"]):
        one = target(name)
    scratch = Path("build") / "fuzz" / "corpus" / name
    scratch.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0], str(scratch), str(CORPUS / name), f"-max_total_time={seconds:g}",
        f"-artifact_prefix={CORPUS / name}/found-", f"-seed={seed}", "-max_len=4096",
        "-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=60",
    ]  # fmt: skip
    atheris.Setup(arguments, lambda data: one(data) and None)
    atheris.Fuzz()


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--by-chance", action="store_true", help="without atheris")
    arguments = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        arguments.by_chance = True
    fuzz = by_chance if arguments.by_chance else by_coverage
    fuzz(arguments.target, arguments.seconds, arguments.seed)


if __name__ == "__main__":
    main()
