"""A study file is checked before anything is computed, and told in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyexpr.base.errors import StudyError
from pyexpr.study.file.config import StudyConfig, read_config

BUILT_IN = '[clips]\nschedule = "bp4d_plus"\n'


def read(tmp_path: Path, text: str) -> StudyConfig:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    config = read(tmp_path, BUILT_IN)
    assert config.features.rate == 5.0
    assert config.split.proportions == (0.6, 0.2, 0.2)
    assert config.models.elastic_net.alpha == (0.01, 0.05, 0.1, 0.5, 1.0)
    assert config.models.elastic_net.l1_ratio == tuple(i / 10 for i in range(11))
    assert config.compare.metrics == ("nrmse", "correlation")
    # What the paper's NRMSE divides by, and where its uniform baseline draws.
    assert config.compare.score_range == 7.0
    assert config.baselines.uniform_limits == (-3.5, 3.5)


@pytest.mark.parametrize(
    ("ways", "labels"),
    [
        ('"separate", "pooled"', "pooled"),
        ('"pooled", "feature"', "context"),
        ('"separate"', "context"),
    ],
)
def test_models_of_one_score_are_compared(tmp_path: Path, ways: str, labels: str) -> None:
    text = f'[models]\ncontext_as = [{ways}]\n[factor_model]\nlabels = "{labels}"\n'
    assert read(tmp_path, BUILT_IN + text).factor_model.labels == labels


def test_segments_of_ones_own(tmp_path: Path) -> None:
    text = '[[clips.segments]]\ncontext = "talk"\nstart = -3\nend = 0\n'
    (segment,) = read(tmp_path, text).clips.segments
    assert (segment.context, segment.start, segment.end) == ("talk", -3.0, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[clips\] is missing"),
        ("[clips]\n", r"give either schedule = \"bp4d_plus\" or \[\[clips.segments\]\]"),
        ('[clips]\nschedule = "bp4d"\n', r"clips.schedule must be 'bp4d_plus', not 'bp4d'"),
        (f'{BUILT_IN}[ratings]\nlow = "a"\n', r"ratings.low must be a number, not 'a'"),
        # Models of two scores would be compared with the score of the way listed first.
        (
            f'{BUILT_IN}[models]\ncontext_as = ["pooled", "feature", "separate"]\n',
            r"compares 'separate' with 'pooled', 'feature', .* set labels = \"pooled\"",
        ),
        (f"{BUILT_IN}[compare]\nn_boot = 0.5\n", "compare.n_boot must be a whole number, not 0.5"),
        # pydantic takes true for 1, and 1 for true.
        (f"{BUILT_IN}[ratings]\nlow = true\n", "ratings.low must be a number, not true"),
        (
            f"{BUILT_IN}[compare]\nn_boot = true\n",
            "compare.n_boot must be a whole number, not true",
        ),
        (f"{BUILT_IN}[data]\ncontexts = 1\n", "data.contexts must be true or false, not 1"),
        (
            f"{BUILT_IN}[models.elastic_net]\nalpha = [0.1, true]\n",
            r"models.elastic_net.alpha must be a number, not \[0.1, True\]",
        ),
        (
            '[[clips.segments]]\ncontext = "a"\nstart = true\nend = 3\n',
            "start in item 1 of clips.segments must be a number, not true",
        ),
        (f"{BUILT_IN}[compare]\nconfidence = 2\n", "compare.confidence must be below 1, not 2"),
        (f"{BUILT_IN}[compare]\nmetrics = [3]\n", "item 1 of compare.metrics must be text, not 3"),
        (f"outcome = 3\n{BUILT_IN}", "outcome must be text or a table, not 3"),
        ("clips = 3\n", "clips must be a table, not 3"),
        ('[[clips.segments]]\nstart = "a"\n', "start in item 1 of clips.segments must be a number"),
        (f"sed = 3\n{BUILT_IN}", r"the file has no entry 'sed'; did you mean 'seed'\?"),
        (f"{BUILT_IN}[features]\nrates = 3\n", r"\[features\] has no entry 'rates'; .*'rate'"),
        (
            f"{BUILT_IN}[features]\nrate = 0\n",
            r"features: rate= must be a positive number of bins per second, not 0",
        ),
        (f"{BUILT_IN}[baselines]\nhuman = 3\n", "baselines.human must be .*, not 3"),
        (
            f'{BUILT_IN}[data.rating_columns]\nsubjct = "a"\n',
            r"name 'subjct' in data.rating_columns must be 'subject'",
        ),
        ("[clips\n", "is not a TOML file"),
        (
            f'{BUILT_IN}[compare]\nmethods = ["percentil"]\n',
            r"compare.methods: there is no method 'percentil'; did you mean 'percentile'\?",
        ),
        (f'{BUILT_IN}[compare]\nmetrics = ["corr"]\n', "there is no metric 'corr'"),
        (f"{BUILT_IN}[compare]\nscore_range = 0\n", "compare.score_range must be above 0"),
        (
            f"{BUILT_IN}[compare]\nscore_range = inf\n",
            "compare.score_range must be a finite number",
        ),
        (
            f"{BUILT_IN}[baselines]\nuniform_limits = [4, 0]\n",
            "baselines.uniform_limits: two finite numbers are required, the lower first",
        ),
        (
            f'{BUILT_IN}[models.lstm]\ndevice = "gpu"\n',
            r'models.lstm.device: device must be "cpu", "cuda", .* or "mps", not "gpu"',
        ),
        (f"{BUILT_IN}[compare]\nmethods = []\n", "name at least one method"),
        (f'{BUILT_IN}[compare]\nmetrics = ["r2", "r2"]\n', "metric 'r2' is listed twice"),
        (
            f"{BUILT_IN}[split]\nproportions = [0.8, 0.1, 0.2]\n",
            "split.proportions: the three proportions must be above 0 and sum to 1",
        ),
        (
            f"{BUILT_IN}[split]\nproportions = [0.5, 0.5]\n",
            r"split.proportions: three numbers are required: the proportions for "
            r"training, validation, test \(it is \[0.5, 0.5\]\)",
        ),
        (f"{BUILT_IN}[ratings]\nlow = 4\nhigh = 0\n", "low must be below high, .* 4 and 0"),
        (
            '[[clips.segments]]\ncontext = "all"\nstart = 0\nend = 3\n',
            "a context cannot be called 'all', which names what is computed over all contexts",
        ),
        (f"{BUILT_IN}[models.elastic_net]\nalpha = [0]\n", "every alpha must be above 0"),
        (f"{BUILT_IN}[models.elastic_net]\nl1_ratio = [2]\n", "between 0 and 1"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        read(tmp_path, text)
    assert "study.toml" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xef\xbb\xbf" + f"seed = 4\n{BUILT_IN}".replace("\n", "\r\n").encode())
    assert read_config(path).seed == 4


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no study file"):
        read_config(tmp_path / "study.toml")
    with pytest.raises(StudyError, match="is a folder"):
        read_config(tmp_path)
