"""The tables of a study: what does not fit is named, what is left out is counted."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.behavior.schedules import Segment
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.pipeline import Study
from pyexpr.study.tables.inputs import Inputs, read_inputs
from pyexpr.study.tables.recordings import _beneath

SUBJECTS = ("s1", "s2", "s3")
CONTEXTS = {"startle": 5, "disgust": 4}


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three subjects, two contexts, three raters, two questions; all there."""
    ratings = pd.DataFrame(
        [
            (subject, context, str(clip), rater, question, (clip + len(rater)) % 5)
            for subject in SUBJECTS
            for context, n in CONTEXTS.items()
            for clip in range(1, n + 1)
            for rater in ("r1", "r2", "r3")
            for question in ("response", "motion")
        ],
        columns=["subject", "context", "clip", "rater", "question", "score"],
    )
    recordings = pd.DataFrame(
        [(s, c, f"{s}_{c}.csv") for s in SUBJECTS for c in CONTEXTS],
        columns=["subject", "context", "openface"],
    )
    return ratings, recordings


def read(
    folder: Path, ratings: pd.DataFrame, recordings: pd.DataFrame, /, **sections: object
) -> Inputs:
    for name in tables()[1]["openface"]:
        (folder / name).touch()
    ratings.to_csv(folder / "ratings.csv", index=False)
    recordings.to_csv(folder / "recordings.csv", index=False)
    config = StudyConfig.model_validate({"clips": {"schedule": "bp4d_plus"}, **sections})
    return read_inputs(config, folder)


def test_a_good_study(tmp_path: Path) -> None:
    inputs = read(tmp_path, *tables())
    assert inputs.contexts == ("startle", "disgust")
    assert inputs.questions == ("response", "motion")
    assert len(inputs.ratings) == 3 * 9 * 3 * 2
    assert set(inputs.dropped.values()) == {0}
    assert inputs.recordings["openface"][0] == "s1_startle.csv"
    assert inputs.recordings["path"][0] == str(tmp_path / "s1_startle.csv")


def test_columns_of_other_names(tmp_path: Path) -> None:
    ratings, recordings = tables()
    inputs = read(
        tmp_path,
        ratings.rename(columns={"subject": "ID", "score": "Wert"}),
        recordings.rename(columns={"openface": "file"}),
        data={
            "rating_columns": {"subject": "ID", "score": "Wert"},
            "recording_columns": {"openface": "file"},
        },
    )
    assert list(inputs.ratings)[:2] == ["subject", "context"]


def test_missing_scores_are_dropped_and_counted(tmp_path: Path) -> None:
    ratings, recordings = tables()
    ratings["score"] = ratings["score"].astype(float).where(ratings.index != 3)
    inputs = read(tmp_path, ratings, recordings)
    assert inputs.dropped["ratings without a score"] == 1
    assert len(inputs.ratings) == len(ratings) - 1


def test_unmatched_pairs_are_left_out_on_request(tmp_path: Path) -> None:
    ratings, recordings = tables()
    inputs = read(tmp_path, ratings, recordings.iloc[1:], data={"unmatched": "drop"})
    assert inputs.dropped["ratings without a recording"] == 5 * 3 * 2
    assert ("s1", "startle") not in set(
        inputs.ratings[["subject", "context"]].itertuples(index=False, name=None)
    )


def test_what_was_unmatched_is_listed_and_reported(tmp_path: Path) -> None:
    ratings, recordings = tables()
    lone = (ratings["subject"] == "s2") & (ratings["context"] == "disgust")
    inputs = read(tmp_path, ratings[~lone], recordings.iloc[1:], data={"unmatched": "drop"})
    listed = inputs.unmatched.fillna("").to_numpy().tolist()
    assert listed == [
        *(["s1", "startle", str(k), "rated, but without a recording"] for k in range(1, 6)),
        ["s2", "disgust", "", "recorded, but without ratings"],
    ]
    assert inputs.notes() == (
        "1 subject / context pair was left out, rated, but without a recording: 's1 / startle'",
        "1 subject / context pair was left out, recorded, but without ratings: 's2 / disgust'",
    )
    assert read(tmp_path, *tables()).notes() == ()


def test_a_context_called_all_is_refused(tmp_path: Path) -> None:
    ratings, recordings = (
        table.assign(context=table["context"].replace("disgust", "all")) for table in tables()
    )
    with pytest.raises(StudyError, match=r"the ratings .*: a context cannot be called 'all'"):
        read(tmp_path, ratings, recordings)


HOW_TO = Path(__file__).parents[2] / "docs" / "howto" / "own_contexts.md"


def test_the_study_file_of_the_how_to_about_own_contexts(tmp_path: Path) -> None:
    text = HOW_TO.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    clips = (("calm", "opening"), ("calm", "ending"), ("tense", "1"))
    rows = [
        (subject, *clip, rater, question, (i + j + k) % 5)
        for i, subject in enumerate(SUBJECTS)
        for j, clip in enumerate(clips)
        for k, (rater, question) in enumerate(product(("r1", "r2"), ("felt", "shown", "moved")))
    ]
    names = ["participant", "interview", "clip", "rater", "question", "expressive"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "ratings.csv", index=False)
    recordings = pd.DataFrame(
        [(s, c, f"{s}_{c}.csv") for s in SUBJECTS for c in ("calm", "tense")],
        columns=["subject", "context", "openface"],
    )
    recordings.to_csv(tmp_path / "recordings.csv", index=False)
    for name in recordings["openface"]:
        (tmp_path / name).touch()
    study = Study.from_file(tmp_path / "study.toml")
    # As the page writes the same schedule in Python.
    assert study.inputs.schedule.segments == {
        "calm": (Segment(0, 10, "opening"), Segment(-10, 0, "ending")),
        "tense": (Segment(20, 30, "1"),),
    }
    table = study.reliability().tables["reliability"]
    assert list(dict.fromkeys(table["context"])) == ["calm", "tense", "all"]


def spoil_score(value: object) -> pd.DataFrame:
    ratings = tables()[0]
    ratings["score"] = ratings["score"].astype(object)
    ratings.loc[6, "score"] = value
    return ratings


GOOD_RATINGS, GOOD_RECORDINGS = tables()


@pytest.mark.parametrize(
    ("ratings", "recordings", "error", "message"),
    [
        (
            GOOD_RATINGS.rename(columns={"rater": "raters"}),
            GOOD_RECORDINGS,
            ColumnError,
            r"ratings.csv\) have no column 'rater'; did you mean 'raters'",
        ),
        (spoil_score("high"), GOOD_RECORDINGS, ColumnError, "row 7 holds 'high'"),
        (spoil_score(7), GOOD_RECORDINGS, ColumnError, "between 0 and 4, but row 7 holds 7"),
        (
            pd.concat([GOOD_RATINGS, GOOD_RATINGS.iloc[:2]]),
            GOOD_RECORDINGS,
            StudyError,
            "2 ratings stand twice .* 's1 / startle / 1 / r1 / response'",
        ),
        (GOOD_RATINGS.assign(subject=None), GOOD_RECORDINGS, ColumnError, "row 1 is empty"),
        (GOOD_RATINGS.assign(score=None), GOOD_RECORDINGS, StudyError, "'score' is empty"),
        (
            GOOD_RATINGS,
            GOOD_RECORDINGS.iloc[1:],
            StudyError,
            "1 subject / context pair is in the ratings but not in the recordings: "
            "'s1 / startle'.*unmatched",
        ),
        (
            GOOD_RATINGS[GOOD_RATINGS["subject"] == "s1"],
            GOOD_RECORDINGS,
            StudyError,
            "4 subject / context pairs are in the recordings but not in the ratings: 's2 /",
        ),
        (
            GOOD_RATINGS.replace({"disgust": "joy"}),
            GOOD_RECORDINGS.replace({"disgust": "joy"}),
            StudyError,
            "context 'joy' of the ratings is not in the clip schedule",
        ),
        (
            GOOD_RATINGS.replace({"clip": {"5": "9"}}),
            GOOD_RECORDINGS,
            StudyError,
            "clips '9' of context 'startle' in the ratings are not in the schedule",
        ),
        (
            GOOD_RATINGS[GOOD_RATINGS["subject"] == "s1"],
            GOOD_RECORDINGS[GOOD_RECORDINGS["subject"] == "s1"],
            StudyError,
            "at least 3 subjects, one for each part of the split, .* have 1: 's1'",
        ),
        (
            GOOD_RATINGS,
            pd.concat([GOOD_RECORDINGS, GOOD_RECORDINGS.iloc[:1]]),
            StudyError,
            "more than one recording for subject / context 's1 / startle'",
        ),
        (
            GOOD_RATINGS,
            GOOD_RECORDINGS.replace({"s1_startle.csv": "gone.csv"}),
            StudyError,
            "1 file is missing, first '.*gone.csv'",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path,
    ratings: pd.DataFrame,
    recordings: pd.DataFrame,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path, ratings, recordings)


def test_questions_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="lists 'tension', but the ratings have 'response'"):
        read(tmp_path, *tables(), ratings={"questions": ["tension"]})


def test_no_ratings_file(tmp_path: Path) -> None:
    config = StudyConfig.model_validate({"clips": {"schedule": "bp4d_plus"}})
    with pytest.raises(DataError, match=r"ratings\.csv\): there is no file"):
        read_inputs(config, tmp_path)


@pytest.mark.parametrize("above", ["/", "/data", "//data"])
def test_paths_of_recordings_are_those_that_pathlib_makes(above: str) -> None:
    names = [
        "a.csv", "day/a.csv", "day/b.csv", "./a.csv", "day//a.csv", "day/./a.csv", "../a.csv",
        "day/", "day/.", "/a.csv", "/day/a.csv", "//day/a.csv", "a b/ü.csv", ".", "",
    ]  # fmt: skip
    assert _beneath(Path(above), names) == [str(Path(above) / name) for name in names]
