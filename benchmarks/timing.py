"""What the benchmarks time with, and what no program could do faster."""

from __future__ import annotations

import time
from collections.abc import Callable


def best(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time in milliseconds: the machine may be busy, the work is not slow."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def row(work: str, mine: float, peer: str, theirs: float) -> dict[str, object]:
    """Return one comparison as `run.py` wants it."""
    return {
        "work": work,
        "ours_ms": mine,
        "peer": peer,
        "peer_ms": theirs,
        "ratio": theirs / mine,
    }
