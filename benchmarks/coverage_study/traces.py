"""Coverage of the intervals of trace reliability and of lags.

    python benchmarks/coverage_study/traces.py [--studies N]

A trace is the value of a subject, of a clip, and of the moment (a second-order autoregressive
process), which a rater follows with a lag, plus the rater's bias and an error of the same kind.
The true reliabilities are those of 600 subjects without lags. Writes docs/coverage_traces.md after
every hundred studies of all designs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter

from pyexpr.base.files import write_text
from pyexpr.measurement.icc.forms import FORMS
from pyexpr.measurement.icc.intervals import form_row
from pyexpr.measurement.traces.frames import Rule, Trace, Traces, frames_of
from pyexpr.measurement.traces.reliability import _group, lags_of

ROOT = Path(__file__).parents[2]
SEED = 20261202
# Seconds between moments that are simulated, and between those at which raters' values are read.
_FINE, _STEP, _LENGTH = 0.05, 0.2, 30.0
# So many studies of each design, and then the page.
_ROUND = 100
# Of the moments that are simulated, from 5 seconds before, those at which values are read.
_AT = slice(round(5 / _FINE), round((5 + _LENGTH) / _FINE), round(_STEP / _FINE))
LEVELS = {"frame": "frames", "within": "within clips", "clip": "means of clips"}


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    raters: int
    subjects: int = 20
    clips: tuple[int, int] = (1, 4)
    lags: float = 3.0
    error: float = 0.7
    slow: float = 2.0
    late: float = 0.0


DESIGNS = (
    Design("lags from 0 to 3 s", 3),
    Design("lags from 0 to 3 s", 6),
    Design("lags from 0 to 3 s, large error", 6, error=1.4),
    Design("lags from 0 to 3 s, error changes slowly, a third of traces start late", 3, slow=6.0,
           late=1 / 3),
    Design("lags from 0 to 3 s", 3, subjects=10),
)  # fmt: skip


def process(rng: np.random.Generator, shape: tuple[int, ...], seconds: float) -> np.ndarray:
    """Return smooth processes of unit variance, (..., n): two filters, one of half a second."""
    slow, quick = np.exp(-_FINE / seconds), np.exp(-_FINE / 0.5)
    ahead = int(10 * seconds / _FINE)
    noise = rng.standard_normal((*shape[:-1], shape[-1] + ahead))
    found = lfilter([1], [1, -(slow + quick), slow * quick], noise, axis=-1)[..., ahead:]
    return found / _spread(slow, quick, 2 * ahead)


@cache
def _spread(slow: float, quick: float, n: int) -> float:
    """Return the standard deviation of white noise of unit variance after both filters."""
    impulse = lfilter([1], [1, -(slow + quick), slow * quick], np.eye(1, n)[0])
    return float(np.sqrt((impulse**2).sum()))


def study(rng: np.random.Generator, design: Design) -> Traces:
    """Simulate the traces of one study."""
    q = design.raters
    lags = np.linspace(0, design.lags, q)
    times = np.arange(0, _LENGTH, _STEP)
    fine = np.arange(-5, _LENGTH + 5, _FINE)
    owners = np.repeat(
        np.arange(design.subjects), rng.integers(design.clips[0], design.clips[1] + 1,
                                                 design.subjects)
    )  # fmt: skip
    level = 0.5 * rng.standard_normal(design.subjects)[owners]
    level += 0.5 * rng.standard_normal(len(owners))
    signals = level[:, None] + process(rng, (len(owners), len(fine)), 2.0)
    errors = design.error * process(rng, (len(owners), q, len(fine)), design.slow)
    begins = (rng.random((len(owners), q)) < design.late) * rng.integers(0, 40, (len(owners), q))
    traces = []
    for clip, signal in enumerate(signals):
        for j in range(q):
            own = times[begins[clip, j] :]
            # Errors are read where they were simulated.
            error = errors[clip, j, _AT][begins[clip, j] :]
            seen = np.interp(own - lags[j], fine, signal) + error
            traces.append(Trace(clip, j, own, seen + 0.1 * j))
    return Traces(
        tuple(traces), tuple(range(q)), tuple((c,) for c in range(len(owners))), owners,
        tuple(range(design.subjects)), 0,
    )  # fmt: skip


def reliabilities(traces: Traces, lags: np.ndarray | None) -> dict[tuple[str, str], Any]:
    """Return (estimate, low, high) of each level and form."""
    frames = frames_of(traces, Rule(1 / _STEP, "linear", 1.0, 0.5), lags)
    found = {}
    for level in LEVELS:
        group = _group(frames, traces, level, 0.95)
        for name in ("ICC(C,1)", "ICC(C,k)"):
            row = form_row(FORMS[name], group.signals["consistency"], None)
            found[level, name] = row["estimate"], row["conf_low"], row["conf_high"]
    return found


def truth(design: Design) -> dict[tuple[str, str], float]:
    """Return the reliabilities of very many subjects, whose raters have no lags."""
    traces = study(np.random.default_rng(SEED), replace(design, subjects=600, lags=0.0))
    # Sums over few subjects are fast.
    few = replace(traces, subject_of=traces.subject_of % 10, subjects=tuple(range(10)))
    return {key: value[0] for key, value in reliabilities(few, None).items()}


@dataclass
class Cell:
    """What the studies of a design gave so far.

    Attributes
    ----------
    true : dict
        True reliabilities by level and form.
    rng : Generator
        The next study does not depend on how many are simulated at a time.
    counts : dict
        Of each quantity the intervals that cover, are above, are below, and that there are not.
    off : list of float
        Errors of estimated lags, in seconds.
    """

    design: Design
    true: dict[tuple[str, str], float]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED + 1))
    counts: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    off: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = {key: np.zeros(4) for key in (*self.true, ("lags", ""))}

    def simulate(self, studies: int) -> None:
        """Add studies."""
        for _ in range(studies):
            self._add(study(self.rng, self.design))

    def _add(self, traces: Traces) -> None:
        lags = np.linspace(0, self.design.lags, self.design.raters)
        lags -= lags.mean()
        frames = frames_of(traces, Rule(1 / _STEP, "linear", 1.0, 0.5))
        found = lags_of(frames, traces, 1 / _STEP, 4.0, 0.95)
        own = np.array([one.estimate for one in found])
        half = np.array([one.half for one in found])
        lost = np.isnan(own) | np.isnan(half)
        self.off += (own - lags)[~lost].tolist()
        below, above = lags < own - half, lags > own + half
        self.counts["lags", ""] += [
            (~below & ~above & ~lost).sum(), below.sum(), above.sum(), lost.sum()
        ]  # fmt: skip
        if np.isnan(own).any():
            for key in self.true:
                self.counts[key][3] += 1
            return
        for key, (_, low, high) in reliabilities(traces, own).items():
            below, above = self.true[key] < low, self.true[key] > high
            self.counts[key] += [not below and not above, below, above, 0]

    def rows(self) -> list[list[Any]]:
        """Return a row of the page for each quantity."""
        made = []
        for key, own in self.counts.items():
            n = own.sum() - own[3]
            shares = [f"{share:.3f}".replace("0.", ".", 1) for share in own[:3] / n]
            what, value = f"{key[1]}, {LEVELS.get(key[0])}", f"{self.true.get(key, np.nan):.2f}"
            if key[0] == "lags":
                what, value = "lags", f"RMSE {np.sqrt(np.mean(np.square(self.off))):.3f} s"
            made.append([
                self.design.name, self.design.raters, self.design.subjects, what, value,
                f"{shares[0]} ({shares[1]}, {shares[2]})", f"{own[3] / own.sum():.3f}",
            ])  # fmt: skip
        return made


def page(cells: list[Cell], studies: int) -> str:
    """Return the page of so many studies of each design."""
    lines = [
        "# Intervals of the reliability of traces, simulated",
        "",
        "Written by benchmarks/coverage_study/traces.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % intervals from leaving out one subject at a time. "
        "Each subject has 1 to 4 clips of 30 seconds with 5 values per second. Values change with "
        "time constants of 2 and 0.5 seconds, errors with 2 or 6 seconds. Lags are estimated "
        "within 4 seconds and removed before reliabilities are computed; the true reliabilities "
        "are those without lags. In parentheses: the proportions of intervals above and below the "
        "true value (nominal .025 each). No interval: the proportion of studies in which a lag "
        "has no maximum within 4 seconds, or is undefined without one of the subjects. The Monte "
        f"Carlo error of a coverage of .95 is {np.sqrt(0.95 * 0.05 / studies):.4f}.",
        "",
        "| design | raters | subjects | quantity | true value | coverage | no interval |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(map(str, row))} |" for cell in cells for row in cell.rows()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    cells = [Cell(design, truth(design)) for design in DESIGNS]
    for first in range(0, studies, _ROUND):
        done = min(first + _ROUND, studies)
        for cell in cells:
            cell.simulate(done - first)
        print(f"{done} studies of each design", flush=True)
        write_text(ROOT / "docs" / "coverage_traces.md", page(cells, done))


if __name__ == "__main__":
    main()
