"""The result of `fit_models`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.results import Result
from pyexpr.base.stopping import NOTHING, stoppable
from pyexpr.base.versions import versions
from pyexpr.modeling.fitting.class_performance import ClassEvaluator
from pyexpr.modeling.fitting.compared import Evaluated, compare, over_repeats
from pyexpr.modeling.fitting.labels import CLASSIFICATION, REGRESSION, column_of_class
from pyexpr.modeling.fitting.notes import (
    AUC_WITHIN_FOLDS,
    CLASS_NOT_FITTED,
    NO_PROBABILITIES,
    NOT_VARYING,
    ONE_CONTEXT,
    OVER_REPEATS,
    ROWS_LEFT_OUT,
    TWO_LABELS,
    WARNED,
    WITHIN_FOLDS,
)
from pyexpr.modeling.fitting.performance import KEYS, performance
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from pyexpr.inference.comparison.result import ComparisonResult
    from pyexpr.modeling.fitting.final import FinalModels
    from pyexpr.modeling.fitting.procedure_result import ProcedureResult
    from pyexpr.modeling.fitting.refits import Fits
    from pyexpr.modeling.fitting.table import Names


def _refits_kept(result: ModelsResult, *_: object, **__: object) -> str:
    """Return the fits to other subjects that are completed when Ctrl-C is pressed."""
    known = 0 if result.fits is None else len(result.fits.known)
    if not known:
        return NOTHING
    return f"{counted(known, 'further fit', 'is', 'are')} kept; compare again to continue"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelsResult(Result):
    """Models with predictions of subjects to which they were not fitted.

    Attributes
    ----------
    predictions : DataFrame
        One row per predicted clip, repeat, model and way in which the context enters. Columns:
        cluster, context ("all" if there is none), clip (its label, or the row number from 1),
        repeat and fold (from 0), model, context_as, truth, prediction. In cross-validation every
        clip is predicted once in each repeat; with a split, the clips of the test part are
        predicted. For a label of classes, truth and prediction are classes (True is 1), and there
        is a column probability_<class> for each class, which is NaN if the model gives no
        probabilities (see `notes`), and 0 if the class is not among the fitted rows.
    tuning : DataFrame
        The chosen parameters: model, context_as, context (of the model, or "all"), repeat, fold,
        parameter, value, tuned_on ("inner folds", "validation" or "none").
    coefficients : DataFrame
        See `weights`.
    folds : DataFrame
        Columns repeat, cluster, fold; with a split cluster, part.
    left_out : DataFrame
        Incomplete rows: cluster, context, clip, reason.
    warned : DataFrame
        Warnings of estimators: model, context_as, context, repeat, fold, message.
    constant : DataFrame
        Features that do not vary in the rows of a fit: model, context_as, context, repeat,
        fold, feature.
    models : dict
        Name of the model -> the representation of the estimator in Python.
    names : Names
        The names of the columns of the data.
    contexts : list
        Labels of the contexts, in the order used in tables.
    scheme : str
        "cross_validation" or "split".
    n_folds, n_repeats, inner_folds : int
    proportions : tuple of float
    seed : int
    one_context : bool
        Whether models per context were requested although there is only one context.
    """

    predictions: pd.DataFrame
    tuning: pd.DataFrame
    coefficients: pd.DataFrame
    folds: pd.DataFrame
    left_out: pd.DataFrame
    warned: pd.DataFrame
    constant: pd.DataFrame
    models: dict[str, str]
    names: Names
    contexts: list[Any]
    scheme: str
    n_folds: int
    n_repeats: int
    inner_folds: int
    proportions: tuple[float, float, float]
    seed: int
    one_context: bool
    classes: list[Any] | None = None
    positive: Any = None
    unseen: pd.DataFrame | None = None
    # Fits all rows. It is not stored in files, which contain no estimators.
    again: Any = field(default=None)
    # The fits, and how to fit other parts. They are not stored in files either.
    fits: Fits | None = field(default=None)

    @property
    def kind(self) -> str:
        """Return "regression" or "classification"."""
        return REGRESSION if self.classes is None else CLASSIFICATION

    def tidy(self) -> pd.DataFrame:
        """Return the performance of the models, with one row per metric, model and context.

        Columns: metric (rmse, correlation, r2; for two classes, or a positive class against all
        others, auc, brier, accuracy, balanced_accuracy; for several classes accuracy,
        balanced_accuracy, f1_macro, kappa), model, context_as, context, estimate (the mean over
        repeats), with several repeats sd_repeats (their standard deviation, divisor n - 1), n,
        n_clusters, reason. In cross-validation, correlation, R2 and AUC are computed within folds
        and averaged, weighted by their numbers of rows, as in `compare`, which also gives
        intervals.
        """
        return performance(self.predictions, self.contexts, self._evaluator())

    def _evaluator(self) -> ClassEvaluator | None:
        return None if self.classes is None else ClassEvaluator(self.classes, self.positive)

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, with one column per metric."""
        tidy = self.tidy()
        counts = ["n", "n_clusters"]
        wide = tidy.pivot_table(
            "estimate", [*KEYS[1:], *counts], "metric", sort=False, dropna=False, observed=True
        )
        shown = wide.dropna(how="all").reset_index()
        shown.columns.name = None
        return shown[[*KEYS[1:], *dict.fromkeys(tidy["metric"]), *counts]]

    def weights(self) -> pd.DataFrame:
        """Return the coefficients of the linear models of every fit.

        Returns
        -------
        DataFrame
            Columns model, context_as, context (of the model, or "all"), repeat, fold, feature,
            estimate (per unit of the feature, whether or not it was standardised for the fit) and
            standardised (per standard deviation, divisor n, among the fitted rows). For classifiers
            there is also the column class; weights refer to its log odds (logistic regression) or
            its score. With two classes, only the positive one, or the second, is included.

        Raises
        ------
        DataError
            If no estimator has coefficients (`coef_`) for the features.
        """
        if self.coefficients.empty:
            raise DataError(
                f"none of the models {listed(self.models)} has a coefficient (coef_) for each "
                "feature, so there are no weights"
            )
        return self.coefficients.copy()

    def compare(self, metrics: Sequence[str] | None = None, **options: Any) -> ComparisonResult:
        """Compare the models by `compare_models`: differences, intervals and tests.

        Correlation, concordance and R2 are computed within folds and averaged. With several
        repeats, the metric of a model is the mean over its repeats, each within its own folds, and
        the interval is that of this mean. `over_repeats` reports the variation between repeats.

        Parameters
        ----------
        metrics : sequence of str, optional
            As for `compare_models`. By default rmse and correlation; for classes auc and
            balanced_accuracy, or balanced_accuracy and kappa with more than two classes.
        **options
            Options of `compare_models`: `pairwise`, `ratio`, `n_boot`, `method`, `confidence`,
            `null`, `null_difference`, `adjust`, `seed` (by default that of the folds), `n_threads`,
            `progress`, `score_range`, `positive` (by default that of `fit_models`), `threshold`.
            Without a threshold, the class predicted by the model is used.

        Returns
        -------
        ComparisonResult
            Models are called by their names, or "name, context_as" if the context enters in several
            ways.

        Raises
        ------
        DataError
            As `compare_models`; or if AUC, Brier's score or a threshold is requested and a model
            gives no probabilities.
        """
        return compare(self._evaluated(), metrics, options)

    def over_repeats(self, metrics: Sequence[str] | None = None, **options: Any) -> pd.DataFrame:
        """Return the variation between repeats of the cross-validation, with the intervals.

        Parameters
        ----------
        metrics, **options
            As for `compare`.

        Returns
        -------
        DataFrame
            Columns metric, term, context, estimate, conf_low and conf_high of `compare`; and
            sd_repeats (standard deviation, divisor n - 1), lowest and highest of the estimates of
            the repeats. The interval describes variation between subjects, and more repeats hardly
            shorten it.

        Raises
        ------
        DataError
            If there is only one repeat.
        """
        return over_repeats(self._evaluated(), metrics, options)

    @stoppable("models were compared as procedures", kept=_refits_kept)
    def compare_procedures(
        self,
        metrics: Sequence[str] | None = None,
        *,
        method: str = "jackknife",
        confidence: float = 0.95,
        score_range: float | None = None,
        progress: bool | None = None,
    ) -> ProcedureResult:
        r"""Compare the models as procedures: intervals also account for the subjects of training.

        The intervals of `compare` take the fitted models as given, and account only for the
        subjects on whom they are tested. If models were fitted to other subjects, they would
        differ, and the better one could become the worse one. Whether one kind of model is better
        than another (a forest than an elastic net, these features than those) is a question about
        the procedure.

        Parameters
        ----------
        metrics : sequence of str, optional
            As for `compare`.
        method : {"jackknife", "corrected_t", "nested"}
            ``"jackknife"``: every subject in turn is left out of testing and of training, and all
            models are tuned and fitted again without it. For G subjects in K folds, this takes ``G
            (K - 1)`` fits per repeat, model and context. Any metric is available.

            ``"corrected_t"``: the corrected resampled t test of the values of the folds. It
            requires no further fits, but needs several repeats (``repeats=10`` in `fit_models`),
            and metrics rmse, nrmse, mae, bias, correlation, concordance and r2.

            ``"nested"``: nested cross-validation, which does not refer to the procedure, but to the
            error of the model fitted to all of these subjects. It requires ``K (K - 1) / 2``
            further fits per repeat, and metrics rmse, nrmse and mae. Repeats make it stable.
        confidence : float
            Level of the intervals.
        score_range : float, optional
            As for `compare_models`, for nrmse.
        progress : bool, optional
            Whether to show a progress bar; by default as in `fit_models`.

        Returns
        -------
        ProcedureResult
            ``tidy()`` has these intervals and those of `compare`. The first of ``notes()`` states
            which of the two questions they answer.

        Raises
        ------
        DataError
            If the models were evaluated by a single split, the result was loaded from a file, or a
            metric is not available for the method; or as `compare` and `fit_models`, if a model
            cannot be fitted without some subject.
        Interrupted
            If Ctrl-C is pressed. The result keeps the fits that are finished, and a further call
            continues with the others.

        Notes
        -----
        *Jackknife.* T is the metric of the cross-validation, and :math:`T_{(i)}` that of the same
        folds without subject i: its rows are not predicted, and no model was fitted to them. Then
        :math:`SE^2 = \frac{G-1}{G} \sum_i (g(T_{(i)}) - \bar g)^2`, with the scale g and the
        degrees of freedom of `compare_models`. T is a function of G independent subjects, in both
        of their roles, and the expectation of the jackknife's variance is at least the variance of
        such a function (of G - 1 subjects; Efron and Stein 1981). The intervals are therefore
        rather too wide than too narrow, especially for two models that do not differ.

        *Corrected t.* Of J values (folds times repeats) with variance :math:`s^2`, :math:`SE^2 =
        (1/J + 1/(K-1)) s^2` (Nadeau and Bengio 2003; Bouckaert and Frank 2004), with
        :math:`\min(J, G) - 1` degrees of freedom.

        *Nested.* Algorithm 1 of Bates, Hastie and Tibshirani (2024), with subjects as units:
        squared errors are summed over the rows of a subject, and RMSE uses the delta method.

        The result keeps the further fits of the jackknife and of nested cross-validation: a second
        call, with other metrics or another level, fits nothing again.

        Models are tuned again without the subject, in the same inner folds of the others; folds
        drawn anew would add chance to the jackknife's variance. A splitter or a network that
        assigns subjects itself does so anew. The coverage of all three is reported in
        ``docs/coverage_training.md``, that of tuned models in ``docs/coverage_chain.md`` (column
        *refitted*).

        Checked against: the same refits by closed-form ridge regression; the authors' R code of
        nested cross-validation; a calculation by hand of the corrected t.

        References
        ----------
        Bates, S., Hastie, T. and Tibshirani, R. (2024). Journal of the American Statistical
        Association, 119, 1434-1445. https://doi.org/10.1080/01621459.2023.2197686
        Bouckaert, R. R. and Frank, E. (2004). Advances in Knowledge Discovery and Data Mining
        (PAKDD), 3-12. https://doi.org/10.1007/978-3-540-24775-3_3
        Efron, B. and Stein, C. (1981). Annals of Statistics, 9, 586-596.
        https://doi.org/10.1214/aos/1176345462
        Nadeau, C. and Bengio, Y. (2003). Machine Learning, 52, 239-281.
        https://doi.org/10.1023/A:1024068626366

        Examples
        --------
        >>> import numpy as np, pandas as pd, pyexpr as px
        >>> from sklearn.linear_model import Ridge
        >>> rng = np.random.default_rng(1)
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(20), 6)})
        >>> table[["smile", "nod"]] = rng.normal(size=(120, 2))
        >>> table["joy"] = table["smile"] + rng.normal(size=120)
        >>> fitted = px.fit_models(
        ...     table, label="joy", features=["smile", "nod"], cluster="subject",
        ...     models={"strong": Ridge(1000), "weak": Ridge(1)},
        ... )
        >>> found = fitted.compare_procedures(["rmse"])
        >>> found.tidy()[["term", "estimate", "conf_low", "conf_high"]].round(2)
                    term  estimate  conf_low  conf_high
        0         strong      1.22      1.08       1.40
        1           weak      0.93      0.75       1.20
        2  strong - weak      0.29      0.14       0.45
        """
        from pyexpr.modeling.fitting.procedures import compare_procedures

        return compare_procedures(
            self._evaluated(), self.fits, metrics, method=method, confidence=confidence,
            score_range=score_range, progress=progress,
        )  # fmt: skip

    def _evaluated(self) -> Evaluated:
        return Evaluated(
            self.predictions, self.names, self.contexts, self.scheme, self.n_repeats, self.seed,
            self.classes, self.positive,
        )  # fmt: skip

    @stoppable("models were fitted to all rows")
    def fit_all(self) -> FinalModels:
        """Fit every model once more to all complete rows, in order to predict new data.

        Tuning uses inner folds of all subjects. The performance of these models is estimated by the
        cross-validation, not by their fit to these rows.

        Returns
        -------
        FinalModels
            With `predict(new_data)` and the fitted `estimators`.

        Raises
        ------
        DataError
            If the result was loaded from a file, which does not contain estimators; or as
            `fit_models`.
        """
        if self.again is None:
            raise DataError(
                "a saved result does not contain the estimators and features; call "
                "fit_models() again"
            )
        found: FinalModels = self.again()
        return found

    def for_saving(self) -> ModelsResult:
        """Return the result as it is saved: without data and estimators."""
        return replace(self, again=None, fits=None)

    def heading(self) -> str:
        """Return a sentence that says what was fitted and how it was evaluated."""
        how = (
            f"{self.n_folds} folds of subjects"
            + (f", {self.n_repeats} times" if self.n_repeats > 1 else "")
            if self.scheme == CROSS_VALIDATION
            else "subjects of the test part"
        )
        clips = self.predictions.drop_duplicates(["cluster", "context", "clip"])
        what = repr(self.names.label)
        if self.classes is not None:
            what += f" (classes {listed([str(one) for one in self.classes])})"
        return (
            f"{counted(len(self.models), 'model')} of {what} from "
            f"{counted(len(self.names.features), 'feature')}: {len(clips)} rows of "
            f"{clips['cluster'].nunique()} subjects ({self.names.cluster}) predicted by {how}"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the columns, the estimators, the scheme, the seed and the versions."""
        names = self.names
        of_classes = {"classes": self.classes, "positive": self.positive} if self.classes else {}
        return {
            "kind": self.kind,
            **of_classes,
            "label": names.label,
            "label_pooled": names.label_pooled,
            "features": names.features,
            "adjust_for": names.adjust_for,
            "cluster": names.cluster,
            "context": names.context,
            "models": self.models,
            "scheme": self.scheme,
            "n_folds": self.n_folds if self.scheme == CROSS_VALIDATION else None,
            "n_repeats": self.n_repeats,
            "inner_folds": self.inner_folds,
            "proportions": None if self.scheme == CROSS_VALIDATION else self.proportions,
            "seed": self.seed,
            "n_left_out": len(self.left_out),
            "versions": versions("pandas", "scikit-learn", "scipy"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return notes on the interpretation of the table."""
        notes: list[str] = []
        evaluator = self._evaluator()
        if self.scheme == CROSS_VALIDATION and (evaluator is None or "auc" in evaluator.metrics):
            notes.append(WITHIN_FOLDS if evaluator is None else AUC_WITHIN_FOLDS)
        if self.n_repeats > 1:
            notes.append(OVER_REPEATS(n=self.n_repeats))
        if self.names.label_pooled != self.names.label:
            notes.append(TWO_LABELS(pooled=self.names.label_pooled, own=self.names.label))
        if self.one_context:
            notes.append(ONE_CONTEXT)
        if len(self.left_out):
            why = self.left_out["reason"].value_counts()
            reasons = "; ".join(f"{reason} ({n})" for reason, n in why.items())
            notes.append(ROWS_LEFT_OUT(n=len(self.left_out), reasons=reasons))
        for name, rows in self.constant.groupby("feature", sort=False):
            notes.append(NOT_VARYING(name=name, n=len(rows)))
        notes += self._of_classes()
        for model, rows in self.warned.groupby("model", sort=False):
            n = len(rows.drop_duplicates(_FIT))
            notes.append(WARNED(model=model, n=n, message=rows["message"].iloc[0]))
        return tuple(notes)

    def _of_classes(self) -> Iterator[str]:
        """Return which models give no probabilities, and which classes they have not seen."""
        if self.classes is None:
            return
        missing = self.predictions[column_of_class(self.classes[0])].isna()
        for model in dict.fromkeys(self.predictions.loc[missing, "model"]):
            yield NO_PROBABILITIES(model=model)
        if self.unseen is not None:
            for label, rows in self.unseen.groupby("class", sort=False):
                yield CLASS_NOT_FITTED(label=label, n=len(rows))


_FIT = ["context_as", "context", "repeat", "fold"]
