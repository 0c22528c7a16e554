"""The ICC's cluster bootstrap-t against subjects drawn literally, row by row."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError, PyexprWarning
from pyexpr.base.messages import codes_of, joined
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.measurement.icc.bootstrap import METHOD
from pyexpr.measurement.icc.cluster import METHOD_BOTH
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.result import ICCResult

SUBJECTS = 9
DRAWS = 59
# The same sums in another order.
SUMS = 1e-9


def ratings(subjects: int = SUBJECTS, seed: int = 6, raters: int = 4) -> pd.DataFrame:
    """Two to six clips per subject, each rated by all; labels in no order."""
    rng = np.random.default_rng(seed)
    of_clip = np.repeat(np.arange(subjects), rng.integers(2, 7, subjects))
    value = rng.normal(size=subjects)[of_clip] + rng.normal(size=len(of_clip))
    table = value[:, None] + 0.5 * rng.normal(size=raters) + rng.normal(size=(len(value), raters))
    frame = pd.DataFrame(
        {
            "subject": [f"s{subjects - i:02d}" for i in np.repeat(of_clip, raters)],
            "clip": np.repeat(np.arange(len(of_clip)), raters),
            "rater": np.tile(np.arange(raters), len(of_clip)),
            "score": table.ravel(),
        }
    )
    return frame.sample(frac=1, random_state=1, ignore_index=True)


def boot(frame: pd.DataFrame, **change: object) -> ICCResult:
    options: dict[str, object] = {
        "targets": "clip", "ratings": "score", "raters": "rater", "cluster": "subject",
        "method": "studentized", "n_boot": DRAWS, "seed": 5,
    }  # fmt: skip
    return icc(frame, **(options | change))


def drawn(frame: pd.DataFrame, times: np.ndarray) -> pd.DataFrame:
    """The ratings of the drawn subjects; one drawn twice is two, with clips of their own."""
    pieces = []
    for label, count in zip(sorted(frame["subject"].unique()), times, strict=True):
        own = frame[frame["subject"] == label]
        for copy in range(count):
            clips = own["clip"].astype(str) + f"-{copy}"
            pieces.append(own.assign(subject=f"{label}-{copy}", clip=clips))
    return pd.concat(pieces, ignore_index=True)


def centre_and_error(frame: pd.DataFrame, form: str) -> tuple[float, float]:
    """The jackknife's centre and error on -log(1 - ICC(.,k)), by refits."""

    def log(part: pd.DataFrame) -> float:
        found = icc(part, targets="clip", ratings="score", raters="rater", cluster=False, form=form)
        return -math.log(1 - found.tidy()["estimate"].item())

    subjects = frame["subject"].unique()
    g = len(subjects)
    left = np.array([log(frame[frame["subject"] != s]) for s in subjects])
    pseudo = g * log(frame) - (g - 1) * left
    return pseudo.mean(), pseudo.std(ddof=1) / math.sqrt(g)


@pytest.mark.parametrize("form", ["ICC(1,k)", "ICC(C,k)"])
def test_interval_is_that_of_subjects_drawn_row_by_row(form: str) -> None:
    frame = ratings()
    row = boot(frame, form=form).tidy().iloc[0]
    whole = -math.log(1 - row["estimate"])
    centre, error = centre_and_error(frame, form)
    pivots = []
    for times in draw_counts((SUBJECTS,), DRAWS, seed=5):
        found, spread = centre_and_error(drawn(frame, times), form)
        pivots.append(abs(found - whole) / spread)
    # (B + 1) 0.95 = 57: an order statistic, without interpolation.
    half = sorted(pivots)[56] * error
    assert row["conf_low"] == pytest.approx(1 - math.exp(half - centre), rel=SUMS)
    assert row["conf_high"] == pytest.approx(1 - math.exp(-half - centre), rel=SUMS)
    beyond = sum(pivot >= abs(centre) / error for pivot in pivots)
    assert row["p_value"] == (beyond + 1) / 60
    assert row["statistic"] == pytest.approx(centre / error, rel=SUMS)
    assert row["method"] == METHOD


def test_one_way_with_unequal_numbers_of_ratings() -> None:
    """Without raters, and some ratings missing: the one-way sums by their definitions."""
    frame = ratings().sample(frac=0.8, random_state=3, ignore_index=True)
    found = boot(frame, raters=None, form="ICC(1,1)")
    k = found.groups[0].k_effective

    def log(part: pd.DataFrame) -> float:
        one = icc(part, targets="clip", ratings="score", form="ICC(1,1)", cluster=False)
        theta = one.groups[0].signals["one_way"].theta
        return math.log1p(k * theta)

    def studentised(part: pd.DataFrame) -> tuple[float, float]:
        g = part["subject"].nunique()
        left = [log(part[part["subject"] != s]) for s in part["subject"].unique()]
        pseudo = g * log(part) - (g - 1) * np.array(left)
        return pseudo.mean(), pseudo.std(ddof=1) / math.sqrt(g)

    centre, error = studentised(frame)
    pivots = []
    for times in draw_counts((SUBJECTS,), DRAWS, seed=5):
        found_centre, spread = studentised(drawn(frame, times))
        pivots.append(abs(found_centre - log(frame)) / spread)
    half = sorted(pivots)[56] * error
    row = found.tidy().iloc[0]
    assert row["conf_low"] == pytest.approx(
        math.expm1(centre - half) / (k + math.expm1(centre - half)), rel=SUMS
    )


def test_wide_and_long_and_shuffled_are_one() -> None:
    frame = ratings()
    wide = frame.pivot(index=["subject", "clip"], columns="rater", values="score").reset_index()
    wide = wide.drop(columns="clip").sample(frac=1, random_state=2)
    options = {"cluster": "subject", "method": "studentized", "n_boot": DRAWS, "seed": 5}
    columns = ["estimate", "conf_low", "conf_high"]
    np.testing.assert_allclose(
        icc(wide, **options).tidy()[columns], boot(frame).tidy()[columns], rtol=SUMS
    )
    shuffled = frame.sample(frac=1, random_state=8)
    np.testing.assert_allclose(
        boot(shuffled).tidy()[columns], boot(frame).tidy()[columns], rtol=SUMS
    )


def test_groups_and_what_is_reported() -> None:
    frame = pd.concat([ratings().assign(context="a"), ratings(seed=9).assign(context="b")])
    found = boot(frame, context="context", form="ICC(1,k)", n_boot=400)
    alone = boot(frame[frame["context"] == "b"], form="ICC(1,k)", n_boot=400)
    assert found.tidy()["conf_low"][1] == alone.tidy()["conf_low"][0]
    assert "bootstrap-t of 400 replicates" in found.notes()[0]
    message = found.provenance()
    assert (message["method"], message["n_boot"], message["seed"]) == ("studentized", 400, 5)
    assert found.tidy()["n_targets"].gt(20).all()
    other = boot(frame, context="context", form="ICC(1,k)", n_boot=400, seed=6)
    assert (other.tidy()["conf_low"] != found.tidy()["conf_low"]).all()
    jackknife = icc(frame, targets="clip", ratings="score", context="context", cluster="subject")
    assert jackknife.provenance()["method"] == "jackknife_t"


def test_undefined_replicates_are_counted_and_too_many_leave_no_interval() -> None:
    """One subject alone has several ratings of a clip: without it there is no error."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(6), 3)
    clip = np.arange(18)
    single = pd.DataFrame({"subject": subject, "clip": clip, "score": rng.normal(size=18)})
    again = single[single["subject"] < 2].assign(score=lambda s: s["score"] + 0.5)
    frame = pd.concat([single, again], ignore_index=True)
    with pytest.warns(PyexprWarning, match="of 300 replicates the ICC or its standard error"):
        found = boot(frame, raters=None, n_boot=300)
    assert found.tidy()["reason"].str.contains("is undefined in").all()
    assert found.tidy()["conf_low"].isna().all()
    assert found.groups[0].n_undefined > 30
    assert "icc_replicates_left_out" in codes_of(joined(found.notes()))


def test_degenerate_ratings() -> None:
    frame = ratings()
    alone = boot(frame.assign(subject="a")).tidy()
    assert alone["reason"].str.contains("only one subject").all()
    perfect = boot(frame.assign(score=frame["clip"].astype(float))).tidy()
    assert perfect[["estimate", "conf_low", "conf_high"]].eq(1).all(axis=None)
    holes = boot(frame.iloc[3:]).tidy().set_index("form")
    assert holes.loc["ICC(1,k)", "reason"] == ""
    assert "refit" in holes.loc["ICC(C,k)", "reason"]
    assert math.isnan(holes.loc["ICC(C,k)", "conf_low"])


def test_agreement_has_the_interval_that_respects_raters_whichever_way_is_requested() -> None:
    for frame in (ratings(), ratings().iloc[3:]):
        ours = boot(frame, form="ICC(A,k)").tidy()
        jackknife = boot(frame, form="ICC(A,k)", method="jackknife_t").tidy()
        pd.testing.assert_frame_equal(ours, jackknife)
        assert ours["method"].item() == METHOD_BOTH


def test_wrong_arguments() -> None:
    frame = ratings()
    for change, match in (
        ({"method": "bca"}, "method="),
        ({"cluster": None}, "name their column in cluster="),
        ({"cluster": False}, "name their column in cluster="),
        ({"n_boot": 10}, "at least 20"),
        ({"seed": -1}, "seed="),
        ({"seed": 1.5}, "seed="),
    ):
        with pytest.raises(DataError, match=match):
            boot(frame, **change)


def test_the_subject_column_of_a_wide_table_is_no_rater() -> None:
    wide = pd.DataFrame({"subject": [1, 1, 2, 2], "a": [1.0, 2, 3, 5], "b": [1.0, 3, 3, 4]})
    with pytest.raises(DataError, match="'subject' of a wide table does not hold the ratings"):
        icc(wide)
    with pytest.warns(UserWarning, match="too narrow"):
        icc(wide, ratings=["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = icc(wide, ratings=["a", "b"], cluster=False)
        icc(wide.drop_duplicates("subject"), ratings=["a", "b"])
    assert icc(wide, cluster="subject").counts()["n_raters"].item() == 2
    assert known.counts()["n_raters"].item() == 2


def test_replicates_without_a_finite_log_ratio_are_counted_without_a_warning() -> None:
    """Few subjects of one clip: drawn again and again, their clips do not differ at all."""
    score = np.array([[2, 1, 1], [1, 2, 1], [1, 1, 1], [1, 1, 2], [3, 2, 3]], float)
    frame = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(5), 3), "clip": np.repeat(np.arange(5), 3),
            "rater": np.tile(np.arange(3), 5), "score": score.ravel(),
        }
    )  # fmt: skip
    with pytest.warns(PyexprWarning):
        found = boot(frame, raters=None, form="ICC(1,1)", n_boot=500)
    # By hand: without variation within or between the clips, of all drawn or without one drawn.
    means, inside = score.mean(axis=1), score.var(axis=1)
    undefined = 0
    for times in draw_counts((5,), 500, seed=5):
        parts = [times, *(times - np.eye(5, dtype=int)[g] for g in np.flatnonzero(times))]
        spreads = [np.ptp(np.repeat(means, part)) if part.sum() > 1 else 0.0 for part in parts]
        errors = [float(inside @ part) for part in parts]
        bad = min(spreads) < SUMS or min(errors) < SUMS or min(map(np.count_nonzero, parts)) < 1
        undefined += bad
    assert found.groups[0].n_undefined == undefined > 50
    assert found.tidy()["reason"].str.contains(f"undefined in {undefined} of 500").all()


def test_an_upper_limit_beyond_all_numbers_is_reported() -> None:
    """Ratings of which the subjects say next to nothing: the limit's signal overflowed."""
    score = [[0, -1], [1, 0], [0, -1], [0, 0], [0, 0], [0, 0], [-1, 0], [0, 0], [0, 0], [1, 0]]
    frame = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(5), 4), "clip": np.repeat(np.arange(10), 2),
            "rater": np.tile(np.arange(2), 10), "score": np.ravel(score).astype(float),
        }
    )  # fmt: skip
    with pytest.warns(PyexprWarning):
        row = boot(frame, form="ICC(C,1)", n_boot=500, seed=0).tidy().iloc[0]
    assert row["conf_high"] == 1
    assert row["reason"] == "there is no upper limit below 1"
    assert -1 <= row["conf_low"] < row["estimate"]


def test_other_intervals_of_the_same_draws() -> None:
    frame = pd.concat([ratings().assign(context="a"), ratings(seed=9).assign(context="b")])
    options = {"targets": "clip", "ratings": "score", "raters": "rater", "context": "context",
               "cluster": "subject", "n_boot": 300, "seed": 5}  # fmt: skip
    jackknife, drawn = icc(frame, **options), icc(frame, method="studentized", **options)
    pd.testing.assert_frame_equal(jackknife.interval(method="studentized").tidy(), drawn.tidy())
    pd.testing.assert_frame_equal(drawn.interval(method="jackknife_t").tidy(), jackknife.tidy())
    narrow = icc(frame, confidence=0.8, **options)
    pd.testing.assert_frame_equal(jackknife.interval(confidence=0.8).tidy(), narrow.tidy())
    more = icc(frame, method="studentized", **(options | {"n_boot": 500}))
    pd.testing.assert_frame_equal(drawn.extend(200).tidy(), more.tidy())
    assert (drawn.extend(200).replicates[:300] == drawn.replicates).all()


@pytest.mark.parametrize("holes", [False, True])
def test_influence_is_the_icc_without_each_subject(holes: bool) -> None:
    frame = ratings().iloc[3:] if holes else ratings()
    options = {"targets": "clip", "ratings": "score", "raters": "rater"}
    found = icc(frame, cluster="subject", **options)
    table = found.influence()
    labels = sorted(frame["subject"].unique())
    k = found.tidy().set_index("form")["k"]
    for who in (labels[0], labels[-1]):
        rest = frame[frame["subject"] != who]
        for form in ("ICC(1,1)", "ICC(1,k)", "ICC(A,1)", "ICC(A,k)", "ICC(C,1)", "ICC(C,k)"):
            wanted = icc(rest, cluster=False, k=k[form], form=form, **options).tidy()
            own = table.query("form == @form and cluster == @who")
            # REML is minimised to 1e-8.
            assert own["estimate"].item() == pytest.approx(wanted["estimate"].item(), rel=1e-6)
    whole = table["estimate"] - table["change"]
    estimate = found.tidy().set_index("form")["estimate"]
    np.testing.assert_allclose(whole, table["form"].map(estimate), rtol=1e-6)
    np.testing.assert_allclose(table["influence"], (1 - len(labels)) * table["change"])


def test_replicates_are_iccs_of_drawn_subjects() -> None:
    frame = ratings()
    found = boot(frame, n_boot=40)
    times = draw_counts((SUBJECTS,), 1, seed=5, first=7)[0]
    wanted = icc(drawn(frame, times), targets="clip", ratings="score", raters="rater",
                 cluster=False)  # fmt: skip
    assert found.replicates.shape == (40, 6)
    # At one rating: the number of ratings that the average forms are shown at is the data's.
    single = [0, 2, 4]
    np.testing.assert_allclose(
        found.replicates[7, single], wanted.tidy()["estimate"].to_numpy()[single], rtol=SUMS
    )


def test_what_an_icc_has_not_is_reported() -> None:
    frame = ratings()
    for change, match in (
        (
            {"stratify": "subject"},
            r"icc\(\) does not accept stratify=: .* context= to analyse groups",
        ),
        ({"adjust": "holm"}, r"icc\(\) does not accept adjust=: .* confidence=1 - 0.05/m"),
        ({"n_threads": 2}, r"icc\(\) does not accept n_threads="),
        ({"cluster_method": "jackknife"}, r"no argument cluster_method=; it is now called method="),
        ({"method": "bootstrap_t"}, "has been renamed to method='studentized'"),
        ({"method": "jackknife"}, "has been renamed to method='jackknife_t'"),
    ):
        with pytest.raises(DataError, match=match):
            boot(frame, **change)
    with pytest.raises(DataError, match=r"confidence=1 - 0.05/m"):
        boot(frame).adjust("holm")
    alone = icc(frame, targets="clip", ratings="score", cluster=False)
    for requested in (alone.influence, lambda: alone.replicates, lambda: alone.extend(5)):
        with pytest.raises(DataError, match="name their column in cluster="):
            requested()
    assert alone.interval(confidence=0.8).tidy()["conf_low"].gt(alone.tidy()["conf_low"]).all()
