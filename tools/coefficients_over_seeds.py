"""Count, over simulated studies, which true slopes and contrasts are detected.

    python tools/coefficients_over_seeds.py [--seeds 20] [--subjects 24 40 84 140]

The simulation's clips, ratings and amounts of movement, without its OpenFace files: features are
the amounts themselves, combined as the features measure them (a velocity is 5.2 times displacement
times unevenness, plus a random variation). The label is the factor score over all contexts. The
truth is that of coefficients_beside_truth.py: the sign of each feature's effect in each context.
Features (and contrasts of features) whose amounts carry no signal are called null; those with a
weak signal, without a sign in the truth, are left out. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from pyexpr.inference.coefficients.coefficients import CoefficientResult, context_coefficients
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.simulation import clips, movement, ratings
from pyexpr.simulation.truth import FEATURE_SIGNS

LEVEL = 0.05
# Displacements whose unevenness is an amount of its own; turns are uneven by 0.4 throughout.
UNEVEN = {"points": "face", "head": "head", "gaze": "gaze"}
EVEN = ("pitch", "yaw", "roll")
PER_SECOND = 5.2


def study(seed: int, n_subjects: int) -> pd.DataFrame:
    """Return subject, context, the 14 features, and the factor score as y."""
    raters = ratings.simulated_raters(seed)
    answers, rows = [], []
    for index in range(n_subjects):
        subject = clips.simulated_subject(seed, index)
        answers += ratings.subject_ratings(seed, index, subject, raters)
        amounts = movement.clip_amounts(seed, index, subject)
        jitter = np.random.default_rng([seed, index])
        rows += [
            _features(amounts[context], jitter).assign(
                subject=subject.label,
                context=context,
                clip=[str(k + 1) for k in range(len(subject.expressiveness[context]))],
            )
            for context in clips.CONTEXTS
        ]
    key = ["subject", "context", "clip"]
    long = pd.DataFrame(answers, columns=[*key, "rater", "question", "score"])
    means = long.pivot_table(index=key, columns="question", values="score").reset_index()
    questions = list(ratings.QUESTIONS)
    fit = cfa(means, {"expressiveness": questions}, engine="native")
    scored = means.assign(y=fit.scores()["score"].to_numpy())[[*key, "y"]]
    return pd.concat(rows, ignore_index=True).merge(scored, on=key).drop(columns="clip")


def _features(amounts: dict[str, np.ndarray], random: np.random.Generator) -> pd.DataFrame:
    columns = {}
    for part in ("points", "head", *EVEN, "gaze"):
        name = UNEVEN.get(part, part)
        moved = amounts[f"{name}_displacement"]
        uneven = amounts[f"{name}_unevenness"] if part in UNEVEN else np.full(len(moved), 0.4)
        noise = 1 + 0.05 * random.standard_normal(len(moved))
        columns[f"{part}_displacement"] = moved
        columns[f"{part}_velocity"] = PER_SECOND * moved * uneven * noise
    columns["au_count"], columns["au_intensity"] = amounts["au_count"], amounts["au_intensity"]
    return pd.DataFrame(columns)


def carries_signal(context: str, feature: str) -> bool:
    """Return whether an amount behind a feature follows expressiveness in a context."""
    part = feature.split("_")[0]
    name = UNEVEN.get(part, part)
    behind = (feature,) if part == "au" else (f"{name}_displacement", f"{name}_unevenness")
    return any(movement.SIGNAL[context].get(amount, 0.0) != 0 for amount in behind)


def counted(
    table: pd.DataFrame, p: str, estimate: str, signs: list[int], unclear: list[bool]
) -> dict[str, int]:
    """Count planted ones found, called with the wrong sign, and null ones called."""
    called = (table[p] <= LEVEL).to_numpy()
    sign, left_out = np.array(signs), np.array(unclear)
    planted, null = sign != 0, (sign == 0) & ~left_out
    right = np.sign(table[estimate].to_numpy()) == np.sign(sign)
    return {
        "planted": int(planted.sum()),
        "found": int((called & planted & right).sum()),
        "wrong sign": int((called & planted & ~right).sum()),
        "null": int(null.sum()),
        "null called": int((called & null).sum()),
    }


def count(result: CoefficientResult) -> dict[str, dict[str, int]]:
    """Judge slopes, contrasts and contrasts adjusted by max-T."""
    slopes = result.tidy().query("context != 'all'")
    at = list(zip(slopes["context"], slopes["feature"], strict=True))
    signs = [FEATURE_SIGNS[context].get(feature, 0) for context, feature in at]
    weak = [carries_signal(context, feature) for context, feature in at]
    contrasts = result.adjust("max_t").contrasts()
    pairs = list(zip(contrasts["first_context"], contrasts["second_context"], strict=True))
    sides = [
        tuple(FEATURE_SIGNS[c].get(f, 0) for c in pair)
        for pair, f in zip(pairs, contrasts.feature, strict=True)
    ]
    differ = [a - b for a, b in sides]
    # Of one sign in both, or a weak one in either: the slopes may differ, or not.
    unclear = [
        any(carries_signal(context, feature) for context in pair)
        for pair, feature in zip(pairs, contrasts["feature"], strict=True)
    ]
    return {
        "slopes": counted(slopes, "p_value", "tested_estimate", signs, weak),
        "contrasts": counted(contrasts, "p_value", "estimate", differ, unclear),
        "contrasts, max-T": counted(contrasts, "p_adjusted", "estimate", differ, unclear),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--subjects", type=int, nargs="+", default=[24, 40, 84, 140])
    chosen = parser.parse_args()
    print("| subjects | tests | of | planted, found | wrong sign | null, called |")
    print("|---|---|---|---|---|---|")
    for n_subjects in chosen.subjects:
        counts: dict[str, list[dict[str, int]]] = {}
        for seed in range(1, chosen.seeds + 1):
            table = study(seed, n_subjects)
            result = context_coefficients(
                table.drop(columns="y"), table["y"], context="context", cluster="subject",
                n_boot=0, seed=seed, n_threads=1,
            )  # fmt: skip
            for what, own in count(result).items():
                counts.setdefault(what, []).append(own)
        method = result.tidy()["method"].iloc[0]
        for what, own in counts.items():
            total = pd.DataFrame(own).sum()
            shares = [
                f"{total[a]} of {total[b]} ({total[a] / total[b]:.3f})"
                for a, b in (
                    ("found", "planted"), ("wrong sign", "planted"), ("null called", "null"),
                )
            ]  # fmt: skip
            print(f"| {n_subjects} | {method} | {what} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
