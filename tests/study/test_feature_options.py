"""Options of features are declared once: arguments, study section, help and R's defaults follow."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from pydantic import ValidationError

from pyexpr.base.errors import DataError
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.options import FeatureOptions
from pyexpr.behavior.openface.options import ReadingOptions
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.cli.main import features as command
from pyexpr.study.file.data_sections import FeaturesSection

ROOT = Path(__file__).parents[2]
DECLARED = {one.name: one.default for one in fields(FeatureOptions)}
TYPES = get_type_hints(FeatureOptions)


def choices(kind: object) -> set[str]:
    """Return the words that a type names, within whatever else it allows."""
    found = {kind} if isinstance(kind, str) else set()
    return found.union(*map(choices, get_args(kind)))


CHOICES = {name: choices(kind) for name, kind in TYPES.items() if choices(kind)}
# A study's models use displacement, and this is displacement times a constant.
NOT_IN_STUDIES = {"velocity": {"speed"}}


def test_arguments_of_extract_features() -> None:
    parameters = inspect.signature(extract_features).parameters
    for name, default in DECLARED.items():
        assert parameters[name].default == default, name
        assert parameters[name].annotation == FeatureOptions.__annotations__[name], name


def test_section_of_a_study_file() -> None:
    section = FeaturesSection()
    kinds = {name: one.annotation for name, one in FeaturesSection.model_fields.items()}
    for name, default in DECLARED.items():
        assert getattr(section, name) == default, name
        wanted = CHOICES.get(name, set()) - NOT_IN_STUDIES.get(name, set())
        assert choices(kinds[name]) == wanted, name


def test_what_a_study_reads_are_arguments_of_extract_features() -> None:
    reading = FeaturesSection().reading()
    parameters = inspect.signature(extract_features).parameters
    assert {*DECLARED} <= {*reading} <= {*parameters}
    for name, value in reading.items():
        assert parameters[name].default == value, name


READING = {one.name: one.default for one in fields(ReadingOptions)}


def test_options_of_reading_are_declared_once() -> None:
    section = FeaturesSection()
    of_file = inspect.signature(read_openface).parameters
    of_features = inspect.signature(extract_features).parameters
    for name, default in READING.items():
        for parameters in (of_file, of_features):
            assert parameters[name].default == default, name
            assert parameters[name].annotation == ReadingOptions.__annotations__[name], name
        # The rate is the clips' business there.
        if name != "fps":
            assert getattr(section, name) == default, name


def test_the_commands_options() -> None:
    parameters = inspect.signature(command).parameters
    function = inspect.signature(extract_features).parameters
    own = {"ctx", "files", "recordings", "quality", "output", "overwrite", "schedule"}
    # Names by commas there.
    own |= {"extra", "action_units", "expressions"}
    own |= {"json", "quiet"}
    # Where tasks are done: both leave it to the other, or to the function.
    own |= {"cluster", "n_jobs"}
    for name, one in parameters.items():
        if name not in own:
            assert one.default == function[name].default, name


@pytest.mark.parametrize(
    "given",
    [
        {"rate": 0.0}, {"rate": -1.0}, {"rate": math.inf}, {"rate": math.nan}, {"rate": 0.1},
        {"min_valid": 0.0}, {"min_valid": 1.0}, {"min_valid": 1.01}, {"min_valid": math.nan},
        {"derivatives": "savgol"}, {"derivatives": "savgol", "bins": "decimate"},
        {"extra": ["regions", "entropy"]}, {"extra": ["region"]}, {"baseline": ""},
        {"extra": ["au_dynamics"], "action_units": ["AU12"]}, {"action_units": ["AU12"]},
        {"extra": ["au_dynamics"], "action_units": ["smile"]}, {"baseline": "rest"},
        {"extra": ["expression_means"], "expressions": ["blendshapes"]},
        {"expressions": ["blendshapes"]}, {"extra": ["expression_means"], "expressions": ["jaw"]},
        {"bins": "median"}, {"head": "params"}, {"landmarks": "4d"}, {"au_count": "max"},
    ],
)  # fmt: skip
def test_a_study_refuses_what_the_function_refuses(given) -> None:
    try:
        FeatureOptions(**given)
    except DataError:
        with pytest.raises(ValidationError):
            FeaturesSection(**given)
    else:
        expected = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        assert FeaturesSection(**given).reading().items() >= expected.items()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (inspect.getdoc(extract_features), r"^{} : {{(.*)}}$"),
        (
            (ROOT / "R" / "R" / "behavior.R").read_text(encoding="utf-8").replace("\n#'   ", " "),
            r"^#' @param {} (.*)$",
        ),
    ],
    ids=["docstring", "R"],
)
def test_the_help_names_every_choice(text, line) -> None:
    for name, names in CHOICES.items():
        (found,) = re.findall(line.format(name), text, re.MULTILINE)
        assert set(re.findall(r'"([^"]+)"', found)) == names, name


@pytest.mark.parametrize(
    "given",
    [
        {"face": "middle"}, {"face": 0.5}, {"face": "left"}, {"face": 3}, {"clock": "film"},
        {"clock": "video"}, {"clock": "frames"}, {"max_speed": 0.0}, {"max_speed": math.inf},
        {"max_turn": math.nan}, {"max_turn": -1.0}, {"join_ids": True}, {"min_confidence": 1.5},
    ],
)  # fmt: skip
def test_a_study_refuses_readings_that_the_function_refuses(given) -> None:
    try:
        ReadingOptions(**given)
    except DataError:
        with pytest.raises(ValidationError):
            FeaturesSection(**given)
    else:
        assert FeaturesSection(**given).reading().items() >= given.items()
