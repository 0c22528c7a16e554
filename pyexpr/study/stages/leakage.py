"""Scores that do not use the test subjects, and the advantage of those that do.

The paper fits the factor model to all clips and splits afterwards. The intercepts, loadings and
residual variances behind the test subjects' scores then depend on the test subjects themselves. If
the model is fitted to the training subjects alone, every clip is scored with their parameters only.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import FactorModelError, PyexprWarning, StudyError
from pyexpr.base.messages import Message, Template, has_code, message_column, message_of, say
from pyexpr.base.pairs import DIFFERENCE, KIND, LEVEL
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.notes import INADMISSIBLE
from pyexpr.study.tables.inputs import CLIP_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from pyexpr.measurement.factor.cfa_result import CFAResult
    from pyexpr.study.file.config import StudyConfig
    from pyexpr.study.tables.inputs import Inputs

LABELS = ["score", "score_pooled"]
COLUMNS = (
    "context", "metric", "whole_sample", "training_only", "difference", "conf_low", "conf_high",
    "p_value", "n", "n_clusters", "reason",
)  # fmt: skip


_OF_TRAINING = Template(
    "training_model_inadmissible",
    "of the training subjects only: The solution is not admissible{where}: {what}. (set "
    "allow_inadmissible = true under [factor_model] to use it nevertheless)",
    report="of the training subjects only: The solution is not admissible{where}: {what}.",
)
_NOT_COMPARED = Template(
    "leakage_not_compared", "Whole-sample and training-only scores were not compared: {reason}"
)


@dataclass(frozen=True, slots=True)
class TrainingScores:
    """Scores of all clips by the factor models of the training subjects.

    Attributes
    ----------
    scores : DataFrame
        Clip key, score, score_pooled and score_reason, one row per rated clip.
    loadings : DataFrame
        Loadings of each context's model and of the pooled one (context ``all``).
    n_subjects, n_clips : int
        Numbers of subjects and clips to which the models were fitted.
    """

    scores: pd.DataFrame
    loadings: pd.DataFrame
    n_subjects: int
    n_clips: int


def training_scores(
    config: StudyConfig,
    inputs: Inputs,
    clips: pd.DataFrame,
    subjects: Iterable[object],
    whole: pd.DataFrame,
) -> TrainingScores:
    """Fit the factor models to the clips of `subjects` and score all clips by them.

    The signs of the factors agree with those of all subjects, whose loadings are `whole`.

    Raises
    ------
    FactorModelError
        If the training clips do not determine a model, or (reason ``inadmissible``)
        give one a negative residual variance and the study does not allow that.
    """
    import pandas as pd

    seen = clips[clips["subject"].isin(set(subjects))]
    model = {config.factor_model.factor: list(inputs.questions)}
    options: dict[str, Any] = {
        "engine": config.factor_model.engine, "equal_loadings": len(inputs.questions) == 2
    }  # fmt: skip
    by_context = cfa(seen, model, context="context", **options)
    pooled = cfa(seen, model, **options)
    by_context = by_context.turned_to(whole)
    pooled = pooled.turned_to(whole[whole["context"] == ALL])
    allow = config.factor_model.allow_inadmissible
    for fit in (by_context, pooled):
        if not (allow or fit.admissible):
            raise _inadmissible(fit)
    own, over_all = (fit.scores(clips, allow_inadmissible=allow) for fit in (by_context, pooled))
    scores = clips[CLIP_KEY].assign(score=own["score"], score_pooled=over_all["score"])
    loadings = pd.concat(
        [
            by_context.loadings(),
            pooled.loadings().assign(context=ALL),
        ],
        ignore_index=True,
    )
    return TrainingScores(scores, loadings, seen["subject"].nunique(), len(seen))


def _inadmissible(fit: CFAResult) -> FactorModelError:
    """Say which model of the training subjects is not admissible; its notes name the variance."""
    reason = next(note for note in fit.notes() if has_code(note, INADMISSIBLE))
    assert isinstance(reason, Message)
    return FactorModelError(_OF_TRAINING(**reason.values), reason="inadmissible")


def relabelled(rows: pd.DataFrame, found: TrainingScores) -> pd.DataFrame:
    """Return the rows with their scores replaced by those of the training subjects' models."""
    return rows.drop(columns=LABELS).merge(
        found.scores[[*CLIP_KEY, *LABELS]], on=CLIP_KEY, how="left", validate="one_to_one"
    )


def training_scores_or_reason(
    config: StudyConfig,
    inputs: Inputs,
    clips: pd.DataFrame,
    subjects: Iterable[object],
    whole: pd.DataFrame,
) -> TrainingScores | str:
    """Return `training_scores`, or the reason why there are none.

    A study whose factor models are fitted to the training subjects needs them: `StudyError`.
    """
    try:
        return training_scores(config, inputs, clips, subjects, whole)
    except FactorModelError as error:
        if config.factor_model.fit_on == "train":
            raise StudyError(
                say(
                    'with fit_on = "train" the study cannot continue: {error}',
                    error=message_of(error),
                )
            ) from None
        return message_of(error)


def leakage_table(
    config: StudyConfig, predictions: pd.DataFrame, other: pd.DataFrame, reason: str
) -> tuple[pd.DataFrame, list[str]]:
    """Compare test performance with whole-sample scores and with training-only scores.

    Parameters
    ----------
    predictions, other : DataFrame
        Clip key, evaluated, truth, elastic_net, for the study's own scores and for the other kind.
        Each kind has its own models and is its own truth.
    reason : str
        Why `other` is empty, or "".

    Returns
    -------
    table : DataFrame
        One row per context and metric; difference is whole_sample - training_only, with
        the jackknife-t interval by subjects.
    notes : list of str
    """
    import pandas as pd

    if reason:
        empty = [
            {"context": context, "metric": metric, "reason": reason}
            for context in predictions["evaluated"].unique()
            for metric in config.compare.metrics
        ]
        table = pd.DataFrame(empty).reindex(columns=list(COLUMNS))
        reasons = message_column([reason] * len(table))
        return table.assign(reason=reasons), [_NOT_COMPARED(reason=reason)]
    on = [*CLIP_KEY, "evaluated"]
    kinds = ("_training_only", "_whole_sample")
    if config.factor_model.fit_on == "all":
        kinds = kinds[::-1]
    both = predictions[[*on, "truth", "elastic_net"]].merge(
        other[[*on, "truth", "elastic_net"]], on=on, validate="one_to_one",
        suffixes=kinds,
    )  # fmt: skip
    blocks = [_compared(config, block) for _, block in both.groupby("evaluated", sort=False)]
    return pd.concat(blocks, ignore_index=True)[list(COLUMNS)], []


def _compared(config: StudyConfig, block: pd.DataFrame) -> pd.DataFrame:
    """One row per metric of one context (or of all)."""
    with warnings.catch_warnings():
        # The study's comparison already warns if there are few subjects.
        warnings.simplefilter("ignore", PyexprWarning)
        table = compare_models(
            block.reset_index(drop=True),
            truth="truth_whole_sample",
            predictions={
                "whole_sample": "elastic_net_whole_sample",
                "training_only": Predictions(
                    "elastic_net_training_only", truth="truth_training_only"
                ),
            },
            cluster="subject",
            **config.compare.measured(),
            n_boot=config.compare.n_boot,
            confidence=config.compare.confidence,
            seed=config.seed,
        ).tidy()
    levels = table[table[KIND] == LEVEL].pivot(
        index="metric", columns="first_model", values="estimate"
    )
    rows = table[table[KIND] == DIFFERENCE]
    assert len(rows) == len(levels)
    return rows.rename(columns={"estimate": "difference"}).assign(
        context=block["evaluated"].iloc[0],
        whole_sample=rows["metric"].map(levels["whole_sample"]),
        training_only=rows["metric"].map(levels["training_only"]),
    )
