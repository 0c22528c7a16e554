"""Many recordings: processor time and memory of their features, of a study, and of its check.

One small recording stands for all: its file is linked symbolically under as many names as there
are lines in the table of recordings. Every measurement is a process of its own, whose processor
time (of all its threads, and of its own processes) and largest memory are printed; both are what a
quiet machine would show. Processor time by time is the number of cores that were busy, which other
programs make smaller.

    python benchmarks/many_recordings.py features 100 1000 5000
    python benchmarks/many_recordings.py check 1000 100000
    python benchmarks/many_recordings.py study 100 1000

`features`: `extract_features` one by one and two at a time, beside reading the same files alone.
`check`: `check_study` of a manifest of so many lines. `study`: the features of a study, computed;
then with one recording more; then with nothing to compute; then with every file hashed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_openface

SECONDS = 24
CLIPS = 8
CONTEXT = "talk"
STUDY = """title = "Many recordings"
seed = 1
[data]
recordings = "recordings.csv"
ratings = "ratings.csv"
[label]
method = "mean"
"""


def write(folder: Path, n: int) -> None:
    """Write a study of `n` recordings, 10 of a subject."""
    bench_openface.SECONDS = SECONDS
    bench_openface.write_file(folder / "one.csv")
    (folder / "openface").mkdir()
    for number in range(n + 1):
        os.symlink(folder / "one.csv", folder / "openface" / f"{number}.csv")
    write_tables(folder, n)
    length = SECONDS / CLIPS
    segments = [
        f'[[clips.segments]]\ncontext = "{CONTEXT}{k}"\nstart = {clip * length}\n'
        f"end = {(clip + 1) * length}\n"
        for k in range(10)
        for clip in range(CLIPS)
    ]
    (folder / "study.toml").write_text(STUDY + "".join(segments))


def write_tables(folder: Path, n: int) -> None:
    """Write the tables of the first `n` recordings; every clip has a rating."""
    with (folder / "recordings.csv").open("w") as file:
        file.write("subject,context,openface\n")
        file.writelines(f"s{i // 10:06d},{CONTEXT}{i % 10},openface/{i}.csv\n" for i in range(n))
    with (folder / "ratings.csv").open("w") as file:
        file.write("subject,context,clip,rater,question,score\n")
        file.writelines(f"s{i // 10:06d},{CONTEXT}{i % 10},1,r,joy,{i % 5}\n" for i in range(n))


def features(folder: Path, n_jobs: int) -> None:
    import pandas as pd

    from pyexpr.behavior.features.features import extract_features

    table = pd.read_csv(folder / "recordings.csv")
    table["openface"] = [str(folder / name) for name in table["openface"]]
    extract_features(table, every=SECONDS / CLIPS, n_jobs=n_jobs, progress=False)


def reading(folder: Path) -> None:
    import pandas as pd

    from pyexpr.behavior.openface.layout import FEATURE_GROUPS
    from pyexpr.behavior.openface.recording import read_openface

    for name in pd.read_csv(folder / "recordings.csv")["openface"]:
        read_openface(folder / name, groups=FEATURE_GROUPS)


def check(folder: Path) -> None:
    from pyexpr.study.check_study import check_study

    found = check_study(folder / "study.toml")
    assert found.ok, found.problems


def stage(folder: Path, verify: bool = False) -> None:
    from pyexpr.study.pipeline import Study

    study = Study.from_file(folder / "study.toml")
    study._verify = verify
    study.features(progress=False)


TASKS: dict[str, Callable[[Path], None]] = {
    "features, n_jobs=1": lambda folder: features(folder, 1),
    "features, n_jobs=2": lambda folder: features(folder, 2),
    "reading alone": reading,
    "check": check,
    "study": stage,
    "study, every file hashed": lambda folder: stage(folder, verify=True),
}


def measured(task: str, folder: Path) -> dict[str, float]:
    """Run a task in a process of its own: seconds, seconds of the processor, largest memory."""
    out = subprocess.run(
        [sys.executable, __file__, "--task", task, str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(out.stdout)
    return found


def one(task: str, folder: Path) -> None:
    # What importing costs is no part of it.
    import pandas as pd

    import pyexpr as px

    assert pd
    assert px.extract_features
    assert px.Study
    clock, before = time.perf_counter(), time.process_time()
    TASKS[task](folder)
    wall, own = time.perf_counter() - clock, time.process_time() - before
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "wall_s": wall,
                "processor_s": own + others.ru_utime + others.ru_stime,
                "own_s": own,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def show(n: int, what: str, found: dict[str, Any]) -> None:
    print(
        f"{n:>7,} {what:<36} {found['processor_s']:8.2f} s of the processor "
        f"({1e3 * found['processor_s'] / n:7.3f} ms each, {found['own_s']:.2f} s in this process), "
        f"{found['wall_s']:8.2f} s, {found['processor_s'] / found['wall_s']:.2f} cores, "
        f"{found['peak_mb']:6.0f} MB",
        flush=True,
    )


def main(what: str, sizes: list[int]) -> None:
    for n in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, n)
            if what == "study":
                show(n, "study, nothing stored", measured("study", folder))
                write_tables(folder, n + 1)
                show(n, "study, one recording more", measured("study", folder))
                show(n, "study, nothing to compute", measured("study", folder))
                verified = measured("study, every file hashed", folder)
                show(n, "study, every file hashed", verified)
                continue
            tasks = ["check"] if what == "check" else [*TASKS][:3]
            for task in tasks:
                show(n, task, measured(task, folder))


if __name__ == "__main__":
    if sys.argv[1] == "--task":
        one(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1], [int(text) for text in sys.argv[2:]])
