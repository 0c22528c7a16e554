"""The sections of a new study file about evaluation and models."""

from __future__ import annotations

from pyexpr.study.init.data import Data
from pyexpr.study.init.draft import Draft

# With at least so many subjects, a test part of a fifth has twenty.
MANY = 100
_FOLDS = 5


def set_evaluation(draft: Draft, data: Data) -> None:
    """Write [evaluation]: a split for many subjects, folds for few."""
    clips = data.clips()
    n = int(clips["subject"].nunique())
    if n >= MANY:
        draft.set(
            "evaluation", "scheme", "split",
            f"There are {n} subjects: 60 % are used for training, 20 % for tuning, and 20 % are "
            'predicted. With "cross_validation" every subject is predicted once.',
        )  # fmt: skip
        draft.hint("split", "Shares of subjects:", "proportions = [0.6, 0.2, 0.2]")
        return
    rarest = int(clips.groupby("context")["subject"].nunique().min())
    # Two subjects of each context per fold: with one there is no correlation over subjects.
    folds = max(2, min(_FOLDS, rarest // 2))
    draft.set(
        "evaluation", "scheme", "cross_validation",
        f"There are only {n} subjects, so a test part of a fifth would be small. Every subject "
        'is therefore predicted once, by models fitted to the others. Alternative: "split", '
        "one division into training, validation and test subjects (required by deep models).",
    )  # fmt: skip
    draft.set("evaluation", "folds", folds, "Folds of subjects.")
    draft.hint(
        "evaluation",
        "Repeats with other folds show how much the results depend on the folds:",
        "repeats = 5",
    )


def set_models(draft: Draft) -> None:
    """Write comments on other models; the elastic net needs no entry."""
    draft.hint(
        "models",
        "An elastic net is fitted for each context and over all contexts. How contexts enter "
        'the models: "separate" (one model per context), "pooled" (one model over all '
        'contexts), "feature" (one model over all contexts with the context as a feature).',
        'context_as = ["separate", "pooled", "feature"]',
    )
    classified = draft.raw()["label"].get("kind") == "classification"
    kind = "Classifier" if classified else "Regressor"
    draft.hint(
        "models.forest",
        f"Any {kind.lower()} of scikit-learn can be added:",
        f'estimator = "sklearn.ensemble.RandomForest{kind}"',
        "params = {n_estimators = 300}",
        "grid = {min_samples_leaf = [1, 5]}   # values to choose from, using other subjects",
    )
    draft.hint(
        "compare",
        "Number of bootstrap replicates, and the interval methods:",
        "n_boot = 2000",
        'methods = ["jackknife_t", "percentile"]',
    )
