"""Movement features: the same by pandas, NumPy and SciPy, written as a user of those would."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from behavior.hand_made import recording, whole

from parity.comparison import Comparison, Tolerance, python_package, relative
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.smoothing import savgol_motion, savgol_window
from pyexpr.core.kinematics import angle_motion, landmark_motion

AREA = "Movement"
RATE = 5.0
SUMS = Tolerance(1e-12, "sums in another order", "relative")
ANGLES = Tolerance(1e-10, "wrapping each step here, unwrapping the whole series there", "relative")
READINGS = ("abs_derivative", "derivative", "speed")


def walk(seed: int, frames: int = 300, points: int = 68, dims: int = 2) -> np.ndarray:
    """A random walk with frames missing here and there, and one point lost for a while."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(frames, points, dims)).cumsum(axis=0)
    x[rng.random(frames) < 0.05] = np.nan
    x[40:60, 3, 0] = np.nan
    return x


def steps_by_pandas(x: np.ndarray) -> pd.DataFrame:
    """Distances between adjacent frames: NaN beside a gap, because `diff` has it so."""
    axes = [pd.DataFrame(x[:, :, axis]).diff().iloc[1:] for axis in range(x.shape[2])]
    return sum(change**2 for change in axes) ** 0.5


def velocity_of(steps: pd.DataFrame, reading: str) -> float:
    change = steps.diff().iloc[1:] * RATE
    if reading == "speed":
        change = steps * RATE
    elif reading == "abs_derivative":
        change = change.abs()
    return float(change.stack().mean())


def landmarks(kind: type) -> dict[str, float]:
    x = walk(1).astype(kind)
    steps = steps_by_pandas(x.astype(float))
    found = {"displacement": landmark_motion(x, rate=RATE).displacement}
    wanted = {"displacement": float(steps.stack().mean())}
    for reading in READINGS:
        found[reading] = landmark_motion(x, rate=RATE, velocity=reading).velocity
        wanted[reading] = velocity_of(steps, reading)
    return {name: relative(found[name], wanted[name]) for name in wanted}


def turning() -> dict[str, float]:
    """A head that turns past 180 degrees several times: `np.unwrap` against wrapped steps."""
    degrees = (np.random.default_rng(2).normal(4, 20, size=400).cumsum() + 180) % 360 - 180
    smooth = np.unwrap(degrees, period=360)
    steps = pd.DataFrame(np.abs(np.diff(smooth)))
    found = {
        reading: relative(
            angle_motion(degrees, rate=RATE, velocity=reading).velocity,
            velocity_of(steps, reading),
        )
        for reading in READINGS
    }
    displacement = angle_motion(degrees, rate=RATE).displacement
    return {"displacement": relative(displacement, float(steps.stack().mean())), **found}


def binned(x: np.ndarray, fps: float) -> np.ndarray:
    """Bins of 0.2 s by `groupby`: the mean of the valid frames, if they are half at least."""
    frame = pd.DataFrame(x.reshape(len(x), -1))
    groups = frame.groupby((np.arange(len(x)) * RATE / fps + 1e-9).astype(int))
    means = groups.mean()
    return means.where(groups.count().ge(fps / RATE / 2)).to_numpy().reshape(-1, *x.shape[1:])


def whole_clips(fps: float) -> dict[str, float]:
    """Every feature of a clip of 3 s with frames that failed."""
    n = round(3 * fps)
    rng = np.random.default_rng(int(fps))
    lost = sorted(rng.choice(n, size=n // 8, replace=False))
    groups = {
        "landmarks_2d": rng.normal(size=(n, 68, 2)).cumsum(axis=0),
        "pose_translation": rng.normal(size=(n, 3)).cumsum(axis=0),
        "pose_rotation": 0.02 * rng.normal(size=(n, 3)).cumsum(axis=0),
        "gaze_angle": 0.02 * rng.normal(size=(n, 2)).cumsum(axis=0),
        "au_presence": (rng.random((n, 18)) < 0.3).astype(float),
        "au_intensity": 5 * rng.random((n, 17)),
    }
    made = recording(n, fps=fps, invalid=lost, **groups)
    found = clip_features(made, whole(made))
    seen = np.ones(n, dtype=bool)
    seen[lost] = False

    def gaps(x: np.ndarray) -> np.ndarray:
        return np.where(seen[:, None, None], x, np.nan)

    turned = np.degrees(groups["pose_rotation"])
    signals = {
        "points": gaps(groups["landmarks_2d"]),
        "head": gaps(groups["pose_translation"][:, None, :]),
        "gaze": gaps(np.degrees(groups["gaze_angle"])[:, None, :]),
        "pitch": gaps(turned[:, None, :1]),
        "yaw": gaps(turned[:, None, 1:2]),
        "roll": gaps(turned[:, None, 2:]),
    }  # fmt: skip
    wanted = {}
    for name, x in signals.items():
        steps = steps_by_pandas(binned(x, fps))
        wanted[f"{name}_displacement"] = float(steps.stack().mean())
        wanted[f"{name}_velocity"] = velocity_of(steps, "abs_derivative")
    present = groups["au_presence"][seen] == 1
    wanted["au_count"] = present.sum(axis=1).mean()
    # Unit 28 has a presence and no intensity.
    with_intensity = np.delete(present, 16, axis=1)
    wanted["au_intensity"] = groups["au_intensity"][seen][with_intensity].mean()
    return {name: relative(found[name], value) for name, value in wanted.items()}


def parabolas() -> dict[str, float]:
    """A parabola fitted to each window by `np.polyfit`, and its derivatives in the middle."""
    fps, x = 30.0, walk(3, frames=90, points=4)
    window = savgol_window(fps)
    seconds = (np.arange(window) - window // 2) / fps
    speeds, changes = [], []
    for start in range(len(x) - window + 1):
        for point in range(x.shape[1]):
            part = x[start : start + window, point]
            if np.isnan(part).any():
                continue
            a, b, _ = np.polyfit(seconds, part, 2)
            speeds.append(np.hypot(*b))
            changes.append(abs(2 * a @ b) / speeds[-1])
    displacement, velocity, _ = savgol_motion(
        x, fps=fps, rate=RATE, velocity="abs_derivative", angles=False
    )
    return {
        "displacement": relative(displacement, np.mean(speeds) / RATE),
        "velocity": relative(velocity, np.mean(changes) / RATE),
    }


def comparisons() -> list[Comparison]:
    pandas, numpy = python_package("pandas"), python_package("numpy")
    readings = dict.fromkeys(("displacement", *READINGS), SUMS)
    names = [
        f"{part}_{kind}"
        for part in ("points", "head", "gaze", "pitch", "yaw", "roll")
        for kind in ("displacement", "velocity")
    ]
    clip = Tolerance(1e-10, "binning of differences from a first value here", "relative")
    fitted = Tolerance(1e-9, "least squares by QR there, fixed weights here", "relative")
    return [
        *(
            Comparison(AREA, "landmark_motion", f"68 points with gaps, {kind.__name__}", pandas,
                       readings, partial(landmarks, kind))
            for kind in (np.float64, np.float32)
        ),
        Comparison(AREA, "angle_motion", "a head that turns on and on", numpy,
                   dict.fromkeys(readings, ANGLES), turning),
        *(
            Comparison(AREA, "clip_features", f"a clip of 3 s at {fps:g} fps", pandas,
                       dict.fromkeys((*names, "au_count", "au_intensity"), clip),
                       partial(whole_clips, fps))
            for fps in (25.0, 30.0)
        ),
        Comparison(AREA, "savgol_motion", "four points with gaps", numpy,
                   dict.fromkeys(("displacement", "velocity"), fitted), parabolas),
    ]  # fmt: skip
