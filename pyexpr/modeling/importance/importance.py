"""How much a fitted model loses without what a feature tells it, in each context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.core.streams import checked_seed
from pyexpr.inference.clusters import warn_of_few_clusters
from pyexpr.modeling.importance.contrasts import no_draws
from pyexpr.modeling.importance.donors import KINDS, ROWS, SUBJECTS, WITHIN
from pyexpr.modeling.importance.exchanged import (
    Cell,
    Options,
    cell_sums,
    cells_of,
    check_pairs,
    outside,
)
from pyexpr.modeling.importance.fitted import Given, given_models, reasons_left_out
from pyexpr.modeling.importance.groups import (
    Group,
    correlations_of,
    farthest_apart,
    read_groups,
)
from pyexpr.modeling.importance.notes import (
    AND_FOLD,
    NOTE_APART,
    NOTE_CARRIERS,
    NOTE_DONORS,
    NOTE_FEW,
    NOTE_INCOMPLETE,
    NOTE_OTHER_FIT,
    NOTE_OUTSIDE,
    NOTE_ROWS,
    NOTE_SUBJECTS,
    NOTE_WITHIN,
    OF_FITTED,
    OF_MODELS,
    OF_PROCEDURE,
    WHY_FEW_SUBJECTS,
    WHY_ONE_CLIP,
)
from pyexpr.modeling.importance.quantities import LEAST_CARRIERS, Quantities, quantities_of
from pyexpr.modeling.importance.refitted import values_of_procedure
from pyexpr.modeling.importance.result import ImportanceResult
from pyexpr.resampling.intervals.evidence import NO_INTERVALS, Evidence
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import with_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

FITTED, PROCEDURE = "fitted models", "procedure"
# If two features that are exchanged separately correlate more than this, a note names them.
_CORRELATED = 0.7
# Effective number of subjects below which a note names the lowest coverage of intervals of
# variation between subjects, and this coverage in docs/coverage_importance.md.
_FEW_CARRIERS = 20.0
_COVERED = ".82"


@stoppable("the importance of features was computed")
def feature_importance(
    models: Any,
    data: FrameLike | None = None,
    *,
    label: str | None = None,
    features: Sequence[str] | None = None,
    cluster: str | None = None,
    context: str | None = None,
    other_columns: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | str | None = None,
    threshold: float = 0.7,
    permute: str = ROWS,
    metrics: str | Sequence[str] | None = None,
    positive: Any = None,
    n_repeats: int | str = 20,
    interval_for: str = FITTED,
    confidence: float = 0.95,
    adjust: str | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> ImportanceResult:
    r"""Estimate how important each feature is for the predictions of fitted models, by context.

    The values of a feature are exchanged between clips, and the models predict again. The
    importance of the feature is how much worse the predictions become. It is a property of the
    fitted model: a feature that the model does not use has no importance, even if it is related to
    the score.

    Parameters
    ----------
    models : ModelsResult, FinalModels, ContextualRegressor, estimator, or mapping
        The result of `fit_models`, whose models are fitted once more to the same folds and predict
        the clips of the fold to which they were not fitted; or, with `data`, any fitted model with
        ``predict(X)`` of a data frame, such as a pipeline of scikit-learn, or several by name.
        Models predict numbers, or all of them classes (``classes_``).
    data : DataFrame
        The rows on which importance is computed, one row per clip. The models must not have been
        fitted to these subjects. Rows in which the label or a feature is missing are left out, and
        counted.
    label, cluster, context : str
        Columns of the true score or class, the subject and, if there are several, the context of
        each row.
    features : sequence of str
        Columns that are passed to the models, in this order, and exchanged.
    other_columns : sequence of str
        Columns that the models need in addition to the features. They are passed on unchanged and
        are not exchanged.
    groups : mapping, or "correlated", optional
        Features that are exchanged together, by the name of their group; the others are exchanged
        each alone. Covariates (`adjust_for` of `fit_models`) are exchanged only if a group names
        them. ``"correlated"`` puts together all features whose absolute correlation is at least
        `threshold`, and those that are linked by such correlations (single linkage).
    threshold : float
        See `groups`. The correlation is that of the variation that is exchanged: within contexts,
        or within subjects, or of the means of subjects.
    permute : {"rows", "within", "subjects"}
        What is exchanged, always in the same context and among clips that the same model predicts.
        ``"rows"``: each clip is given the values of a clip of another subject. ``"within"``: the
        values of another clip of the same subject, so that only variation within subjects is lost.
        ``"subjects"``: each clip keeps its deviation from the mean of its subject and is given the
        mean of another subject, so that only variation between subjects is lost. The default is the
        importance of all variation, which the two others divide approximately.
    metrics : str or sequence of str, optional
        For numbers any of ``rmse`` (default), ``mse``, ``mae`` and ``correlation``; for classes any
        of ``accuracy`` (default), ``balanced_accuracy``, ``f1``, ``f1_macro``, ``kappa``,
        ``brier`` and ``log_loss``. The importance is the increase of an error, of Brier's score or
        of the log loss, and the decrease of the others. Correlations are computed within folds and
        averaged, as in `compare_models`. ``brier`` and ``log_loss`` need probabilities
        (``predict_proba``) and show changes that do not change the predicted class; for the
        logarithm, probabilities are at least 2.2e-16, as in scikit-learn.
    positive : text or int, optional
        The class to which ``f1`` and ``brier`` refer; by default that of `fit_models`, or 1 of the
        classes 0 and 1. With more than two classes the others are combined into one for all
        metrics.
    n_repeats : int or "all"
        Number of other clips (or subjects), at least 5, whose values each clip is given in turn;
        ``"all"`` takes all of them, so that nothing is random.
    interval_for : {"fitted models", "procedure"}
        What the intervals refer to. ``"fitted models"``: other subjects to be predicted by these
        models. ``"procedure"``: also other subjects to which models are fitted; This requires the
        result of a cross-validation. Its models are fitted again without each subject: G (K - 1)
        times for G subjects in K folds.
    confidence : float
        Level of the intervals.
    adjust : {None, "holm", "max_t"}
        Adjust the tests of all features of a metric, model and context.
    seed : int
        Seed of the choice of these clips, which is the same for all models and features.
    n_jobs : int, optional
        Number of tasks at a time, as in joblib. Results do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.

    Returns
    -------
    ImportanceResult

    Raises
    ------
    ColumnError
        If a column does not exist or does not contain numbers, or a group names an unknown feature.
    DataError
        If a model predicts no finite number in some row, or a class that is not one of the label;
        if some models predict numbers and others classes; if a metric needs probabilities and a
        model gives none; if the result of `fit_models`
        was loaded from a file; if there are fewer than 3 subjects in every context (and fold); or
        if an option is unknown.
    Interrupted
        If Ctrl-C is pressed.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 subjects in some context.

    Notes
    -----
    Let :math:`L_i` be the error of row i, and :math:`L_{ij}` its error if the features of the group
    have the values of row j. With the set :math:`D_i` of rows j that can give their values, MSE and
    MAE after the exchange are :math:`n^{-1} \sum_i |D_i|^{-1} \sum_{j \in D_i} L_{ij}`, and each
    repeat gives an unbiased estimate of them (Fisher, Rudin and Dominici 2019). RMSE and
    correlation are computed from these means. For ``"rows"`` :math:`D_i` are the rows of other
    subjects: a permutation of all rows, which also exchanges values within subjects, would
    underestimate the importance by a share of about 1 in the number of subjects, which are few in a
    fold. For a linear model with slope b of a feature, the importance by MSE is :math:`2 b \beta
    \sigma^2`, :math:`\beta` the true slope and :math:`\sigma^2` the variance that is exchanged, if
    the features are uncorrelated; a feature that predicts nothing has importance 0 on average,
    whatever its b.

    Whole blocks of subjects are not exchanged. The error is a sum over clips, so exchanging blocks
    would have the same expectation as ``"rows"``, but would need a rule for subjects with different
    numbers of clips.

    Values are exchanged independently of all other features. If features are correlated,
    this makes combinations that do not occur, and if two features of a model carry the same
    information, each of them can seem unimportant (Hooker, Mentch and Zhou 2021). Exchange such
    features together (`groups`). Contexts are not mixed, so the importance is that within contexts,
    also over all of them.

    A subject enters in two roles: its clips are predicted, and its values are given to others. The
    jackknife leaves it out of both. Intervals are Student's t (`jackknife_t` of `compare_models`).
    Their coverage is reported in ``docs/coverage_importance.md``.

    If few subjects show a feature, the variation that is exchanged comes from them. With u_g the
    sum over the clips of subject g of the square of the mean change of a clip's prediction, the
    effective number of subjects is :math:`(\sum u_g)^2 / \sum u_g^2`. The degrees of freedom are
    at most this number minus 1. Below 2 there is the estimate, but no standard error, interval or
    test, and `reason` states the number. This holds for each row, for groups of features, over all
    contexts (u_g is then summed over contexts), and for a difference if it holds for one of its
    rows. For metrics of classes u_g refers to indicators of the predicted class, for ``brier`` and
    ``log_loss`` to probabilities.

    Metrics of classes are computed from the expected table of true and predicted classes after the
    exchange. The area under the ROC curve is not available: it compares clips with each other.

    Checked against: ``sklearn.inspection.permutation_importance`` with the same permutations; the
    closed form for linear models; simulation.

    References
    ----------
    Breiman, L. (2001). Machine Learning, 45, 5-32. https://doi.org/10.1023/A:1010933404324
    Fisher, A., Rudin, C. and Dominici, F. (2019). Journal of Machine Learning Research, 20(177),
    1-81. https://jmlr.org/papers/v20/18-760.html
    Hooker, G., Mentch, L. and Zhou, S. (2021). Statistics and Computing, 31, 82.
    https://doi.org/10.1007/s11222-021-10057-z

    Examples
    --------
    >>> import numpy as np, pandas as pd, pyexpr as px
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(40), 5)})
    >>> table[["smile", "nod", "gaze"]] = rng.normal(size=(200, 3))
    >>> table["joy"] = table["smile"] + 0.5 * table["nod"] + rng.normal(size=200)
    >>> fitted = px.fit_models(
    ...     table, label="joy", features=["smile", "nod", "gaze"], cluster="subject",
    ...     models={"ols": LinearRegression()},
    ... )
    >>> found = px.feature_importance(fitted)
    >>> found.tidy()[["term", "estimate", "conf_low", "conf_high"]].round(2)
        term  estimate  conf_low  conf_high
    0  smile      0.66      0.51       0.82
    1    nod      0.16      0.11       0.22
    2   gaze      0.01     -0.01       0.02
    """
    kind, repeats, level, options = _checked(
        permute, n_repeats, interval_for, confidence, adjust, seed
    )
    processes = checked_jobs(n_jobs)
    given = given_models(
        models, data, label=label, features=features, cluster=cluster, context=context,
        other_columns=other_columns, metrics=metrics, positive=positive, n_jobs=processes,
        progress=progress,
    )  # fmt: skip
    table, measures = given.table, given.measures
    if interval_for == PROCEDURE and given.fits is None:
        raise DataError(
            say(
                "{interval_for='procedure'} requires the result of fit_models(), which can fit the "
                "models again"
            )
        )
    if interval_for == PROCEDURE and not given.folds:
        raise DataError(
            say(
                "a single split shows nothing of the variation between training subjects; use "
                "{scheme='cross_validation'} where models are fitted"
            )
        )
    own = list(table.names.features)
    correlations = correlations_of(table.X[own].to_numpy(), table.contexts, table.clusters, kind)
    chosen = read_groups(groups, threshold, given.known, own, correlations)
    cells, left_out = cells_of(given.models, table, kind)
    if not cells:
        raise DataError(_no_cells(kind, folds=given.folds))
    check_pairs(cells, repeats, 1 if given.classes is None else 1 + given.classes.n)

    def summed(which: list[Any]) -> tuple[list[Cell], list[Any]]:
        made, _ = cells_of(which, table, kind)
        return made, cell_sums(
            made, chosen, table, options, measures, n_jobs=processes,
            progress=False if which is not given.models else progress,
        )  # fmt: skip

    def combined(some: Sequence[Cell], sums: Sequence[Any]) -> Quantities:
        return quantities_of(
            some, sums, terms=given.terms, groups=[group.name for group in chosen],
            contexts=[str(one) for one in table.context_labels], metrics=given.metrics,
            measures=measures, n_subjects=len(table.cluster_labels), folds=given.folds,
        )  # fmt: skip

    cells, sums = summed(given.models)
    found = combined(cells, sums)
    if interval_for == PROCEDURE:
        assert given.fits is not None
        found = values_of_procedure(
            given.fits, cells, sums, found, summed, combined, given.classes, n_jobs=processes,
            progress=progress,
        )  # fmt: skip
    remarks = _remarks(given, chosen, cells, left_out, correlations, options, interval_for, found)
    warn_of_few_clusters(int(found.n_clusters[found.n_clusters > 0].min()))
    evidence = evidence_of(found)
    result = ImportanceResult(
        evidence=evidence, intervals=NO_INTERVALS, draws=no_draws(options.seed, evidence),
        clusters=tuple(table.cluster_labels), cluster_name=table.names.cluster, rows=found.rows,
        members={group.name: list(group.columns) for group in chosen}, before=found.before,
        after=found.after, n=found.n, n_clusters=found.n_clusters, sizes=found.sizes, permute=kind,
        n_repeats=repeats, interval_for=interval_for, remarks=remarks,
    )  # fmt: skip
    return with_intervals(result, None, level, adjust)


def _checked(
    permute: Any, n_repeats: Any, interval_for: Any, confidence: Any, adjust: Any, seed: Any
) -> tuple[str, int | None, float, Options]:
    for argument, value, known in (
        ("permute", permute, KINDS),
        ("interval_for", interval_for, (FITTED, PROCEDURE)),
    ):
        if not isinstance(value, str) or value not in known:
            raise DataError(
                say(
                    "{@argument=} must be one of {names}, not {given!r}",
                    argument=argument, names=listed(known), given=value,
                )
            )  # fmt: skip
    repeats = None
    if not (isinstance(n_repeats, str) and n_repeats == "all"):
        if isinstance(n_repeats, str):
            raise DataError(
                say("{n_repeats=} must be a whole number or 'all', not {given!r}", given=n_repeats)
            )
        repeats = whole_number(n_repeats, argument="n_repeats", least=5)
    if adjust is not None:
        check_rule(adjust)
    return (
        permute, repeats, confidence_level(confidence),
        Options(permute, repeats, checked_seed(seed)),
    )  # fmt: skip


def _no_cells(kind: str, *, folds: bool) -> str:
    fold = AND_FOLD if folds else ""
    if kind == WITHIN:
        return say(
            "no subject has two clips in one context{fold}, between which values could be "
            "exchanged; use {permute='rows'}",
            fold=fold,
        )
    if not folds:
        return (
            "values are exchanged between at least 3 subjects in one context, but there are fewer "
            "everywhere; add subjects"
        )
    return say(
        "values are exchanged between at least 3 subjects in one context{fold}, but there are "
        "fewer everywhere; use fewer {folds=} where models are fitted, or more subjects",
        fold=fold,
    )


def evidence_of(found: Quantities) -> Evidence:
    """Return the evidence from which the intervals are computed."""
    n = len(found.rows)
    return Evidence(
        estimate=found.estimate,
        scale=["identity"] * n,
        simple_df=np.zeros(n, dtype=bool),
        null=np.zeros(n),
        replicates=np.empty((n, 0)),
        groups=found.groups,
        reason=found.reason,
        replicate_errors=_nothing,
    )


def _nothing() -> NDArray[np.float64]:
    return np.empty((0, 0))


def _remarks(
    given: Given,
    groups: Sequence[Group],
    cells: Sequence[Cell],
    left_out: NDArray[np.int64],
    correlations: NDArray[np.float64],
    options: Options,
    interval_for: str,
    made: Quantities,
) -> tuple[str, ...]:
    """Return what the result refers to, and what was left out."""
    table, kind = given.table, options.kind
    if interval_for == PROCEDURE:
        found: list[str] = [OF_PROCEDURE]
    else:
        found = [OF_MODELS if given.fits is None else OF_FITTED]
    fold = AND_FOLD if given.folds else ""
    found.append(
        NOTE_WITHIN if kind == WITHIN
        else NOTE_SUBJECTS(fold=fold) if kind == SUBJECTS else NOTE_ROWS(fold=fold)
    )  # fmt: skip
    if options.n_repeats is not None:
        found.append(NOTE_DONORS(n=options.n_repeats))
    features = list(table.names.features)
    beyond = outside(cells, features, table, options)
    if beyond is not None:
        found.append(NOTE_OUTSIDE(name=beyond[0], share=beyond[1]))
    apart = farthest_apart(groups, features, correlations)
    if apart is not None and abs(apart[2]) >= _CORRELATED:
        found.append(NOTE_APART(first=apart[0], second=apart[1], r=apart[2]))
    if kind == SUBJECTS:
        found += _few_carriers(made, several=len(table.context_labels) > 1)
    n, reasons = reasons_left_out(table)
    if n:
        found.append(NOTE_INCOMPLETE(n=n, reasons=reasons))
    if len(left_out):
        why = WHY_ONE_CLIP if kind == WITHIN else WHY_FEW_SUBJECTS
        found.append(NOTE_FEW(n=len(left_out), why=why(fold=fold)))
    found += [NOTE_OTHER_FIT(name=name) for name in given.others]
    return tuple(found)


def _few_carriers(made: Quantities, *, several: bool) -> list[str]:
    """Return a note on the row with an interval whose variation comes from fewest subjects."""
    there = (made.carriers >= LEAST_CARRIERS) & np.isfinite(made.estimate)
    if not there.any():
        return []
    worth = np.where(there, made.carriers, np.inf)
    least = int(worth.argmin())
    if worth[least] >= _FEW_CARRIERS:
        return []
    row = made.rows[least]
    where = say(" in context {context:label}", context=row.context) if several else ""
    return [NOTE_CARRIERS(term=row.term, where=where, worth=worth[least], level=95, least=_COVERED)]
