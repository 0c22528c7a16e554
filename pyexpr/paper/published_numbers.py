"""The numbers published in the paper, in the form of the tables of this package.

Lin, V., Girard, J. M., & Morency, L.-P. Context-dependent models for
predicting and characterizing facial expressiveness: tables 1 to 6, the penalties it chose, and
the weights its text calls notable (section 6, figure 4).

Table 4 does not contain the differences of table 3 (correlations differ by up to .07), so it cannot
be used to check the package's numbers. The p-values printed as "< 0.001" are NaN here and have
`p_below` set to 0.001.
"""

from __future__ import annotations

import math

import pandas as pd

from pyexpr.base.pairs import DIFFERENCE, KIND, PARTS, pair_label

SOURCE = (
    "Lin, Girard, and Morency (2020), Context-Dependent Models for Predicting and Characterizing "
    "Facial Expressiveness"
)
CONTEXTS = ("startle", "pain", "disgust", "all")
QUESTIONS = ("response", "emotion", "motion")
# Number of clips per participant, times 140 participants.
N_TARGETS = {"startle": 700, "pain": 980, "disgust": 560, "all": 2240}
N_RATERS = 6
# The model whose differences from the other models are in table 4.
MAIN_MODEL = "elastic_net"

_ICC = {
    "startle": ((0.84, 0.82, 0.86), (0.85, 0.83, 0.87), (0.85, 0.84, 0.87)),
    "pain": ((0.84, 0.82, 0.85), (0.83, 0.81, 0.85), (0.80, 0.78, 0.82)),
    "disgust": ((0.88, 0.87, 0.90), (0.88, 0.87, 0.90), (0.86, 0.84, 0.88)),
    "all": ((0.86, 0.85, 0.87), (0.86, 0.85, 0.87), (0.85, 0.84, 0.86)),
}
# Pilot studies of 5 subjects, four questions: table 5 (3 raters) and table 6 (6 raters).
PILOT_SUBJECTS = 5
PILOT_QUESTIONS = (*QUESTIONS, "tension")
PILOT_RATERS = {5: 3, 6: 6}
PILOT_CLIPS = {"sadness": 8, "startle": 5, "fear": 7, "pain": 7, "disgust": 4}
_PILOTS = {
    5: {
        "sadness": (
            (0.419, -0.014, 0.687), (0.517, 0.156, 0.739),
            (0.311, -0.203, 0.628), (0.562, 0.235, 0.764),
        ),
        "startle": (
            (0.632, 0.290, 0.825), (0.616, 0.248, 0.821),
            (0.749, 0.515, 0.861), (0.280, -0.391, 0.658),
        ),
        "fear": (
            (0.197, -0.403, 0.567), (0.391, -0.168, 0.639),
            (0.368, -0.103, 0.659), (0.086, -0.596, 0.507),
        ),
        "pain": (
            (0.652, 0.392, 0.812), (0.534, 0.187, 0.749),
            (0.504, 0.135, 0.733), (-1.010, -2.509, -0.084),
        ),
        "disgust": (
            (0.879, 0.747, 0.948), (0.856, 0.699, 0.938),
            (0.837, 0.660, 0.930), (0.797, 0.568, 0.915),
        ),
    },
    6: {
        "startle": (
            (0.783, 0.619, 0.892), (0.777, 0.605, 0.891),
            (0.879, 0.788, 0.940), (0.103, -0.574, 0.553),
        ),
        "pain": (
            (0.774, 0.634, 0.872), (0.765, 0.620, 0.867),
            (0.763, 0.615, 0.868), (-0.059, -0.711, 0.403),
        ),
    },
}  # fmt: skip
# Penalty and L1 ratio of the final elastic nets.
_TUNING = {"startle": (0.01, 0.0), "pain": (0.1, 0.0), "disgust": (0.1, 0.7), "all": (0.05, 0.7)}
_LOADINGS = {
    "startle": (0.98, 0.97, 0.95),
    "pain": (0.98, 0.96, 0.85),
    "disgust": (0.98, 0.98, 0.90),
    "all": (0.98, 0.97, 0.91),
}
_RESIDUALS = {
    "startle": (0.05, 0.07, 0.10),
    "pain": (0.04, 0.07, 0.28),
    "disgust": (0.04, 0.04, 0.19),
    "all": (0.04, 0.06, 0.18),
}
_PERFORMANCE = {
    "nrmse": {
        "uniform": (0.294, 0.303, 0.323, 0.309),
        "normal": (0.211, 0.196, 0.198, 0.210),
        "human": (0.087, 0.093, 0.072, 0.081),
        "3d_cnn": (0.156, 0.122, 0.150, 0.148),
        "3d_cnn_pretrained": (0.152, 0.116, 0.149, 0.148),
        "openface_lstm": (0.129, 0.124, 0.127, 0.145),
        "elastic_net": (0.100, 0.104, 0.084, 0.124),
    },
    "correlation": {
        "uniform": (0.091, 0.032, -0.078, 0.043),
        "normal": (-0.039, -0.039, 0.084, 0.023),
        "human": (0.768, 0.698, 0.831, 0.792),
        "3d_cnn": (-0.141, 0.127, 0.169, 0.015),
        "3d_cnn_pretrained": (0.232, 0.338, 0.053, 0.129),
        "openface_lstm": (0.508, 0.031, 0.538, 0.276),
        "elastic_net": (0.723, 0.525, 0.834, 0.497),
    },
}
# ElasticNet minus the other, over all contexts: estimate, limits, p (NaN: "< 0.001").
_COMPARISON = {
    "nrmse": {
        "uniform": (-0.185, -0.203, -0.168, math.nan),
        "normal": (-0.086, -0.104, -0.071, math.nan),
        "human": (0.034, 0.016, 0.052, 0.001),
        "3d_cnn": (-0.021, -0.036, -0.011, 0.001),
        "3d_cnn_pretrained": (-0.022, -0.035, -0.012, math.nan),
        "openface_lstm": (-0.019, -0.034, -0.009, 0.003),
    },
    "correlation": {
        "uniform": (0.389, 0.218, 0.533, math.nan),
        "normal": (0.401, 0.262, 0.523, math.nan),
        "human": (-0.333, -0.456, -0.205, math.nan),
        "3d_cnn": (0.413, 0.209, 0.586, math.nan),
        "3d_cnn_pretrained": (0.433, 0.260, 0.560, math.nan),
        "openface_lstm": (0.213, 0.082, 0.343, math.nan),
    },
}
_WEIGHT_SIGNS = {
    "startle": {
        "points_displacement": 1,
        "points_velocity": 1,
        "head_displacement": -1,
        "au_count": 1,
    },
    "pain": {"points_velocity": -1, "au_count": 1, "au_intensity": 1},
    "disgust": {
        "points_displacement": 1,
        "head_displacement": 1,
        "au_count": 1,
        "au_intensity": 1,
    },
    "all": {"points_displacement": 1, "au_count": 1, "au_intensity": 1},
}


def reliability() -> pd.DataFrame:
    """Return table 1: context, question, estimate, conf_low, conf_high, n_targets, k."""
    return pd.DataFrame(
        [
            (context, question, *figures, N_TARGETS[context], N_RATERS)
            for context in CONTEXTS
            for question, figures in zip(QUESTIONS, _ICC[context], strict=True)
        ],
        columns=["context", "question", "estimate", "conf_low", "conf_high", "n_targets", "k"],
    )


def pilots() -> pd.DataFrame:
    """Return tables 5 and 6: table, context, question, estimate, limits, n_targets, k.

    n_targets is implied by the segmentation: 5 subjects times the clips of the context.
    """
    return pd.DataFrame(
        [
            (table, context, question, *figures,
             PILOT_SUBJECTS * PILOT_CLIPS[context], PILOT_RATERS[table])
            for table, contexts in _PILOTS.items()
            for context, rows in contexts.items()
            for question, figures in zip(PILOT_QUESTIONS, rows, strict=True)
        ],
        columns=["table", "context", "question", "estimate", "conf_low", "conf_high",
                 "n_targets", "k"],
    )  # fmt: skip


def tuning() -> pd.DataFrame:
    """Return the final elastic nets' penalties: context, alpha, l1_ratio."""
    return pd.DataFrame(
        [(context, *chosen) for context, chosen in _TUNING.items()],
        columns=["context", "alpha", "l1_ratio"],
    )


def loadings() -> pd.DataFrame:
    """Return table 2: context, indicator, std_loading, std_residual_variance."""
    return pd.DataFrame(
        [
            (context, question, _LOADINGS[context][i], _RESIDUALS[context][i])
            for context in CONTEXTS
            for i, question in enumerate(QUESTIONS)
        ],
        columns=["context", "indicator", "std_loading", "std_residual_variance"],
    )


def performance() -> pd.DataFrame:
    """Return table 3: model, context, metric, estimate."""
    return pd.DataFrame(
        [
            (model, context, metric, figure)
            for metric, models in _PERFORMANCE.items()
            for model, figures in models.items()
            for context, figure in zip(CONTEXTS, figures, strict=True)
        ],
        columns=["model", "context", "metric", "estimate"],
    )


def comparison() -> pd.DataFrame:
    """Return table 4: metric, term, context, method, estimate, limits, p_value, p_below.

    Columns kind, first_model and second_model identify the comparison, as in a study's table.
    """
    return pd.DataFrame(
        [
            (
                metric,
                pair_label(MAIN_MODEL, other),
                "all",
                "percentile",
                *figures,
                0.001 if math.isnan(figures[-1]) else math.nan,
                DIFFERENCE,
                MAIN_MODEL,
                other,
            )
            for metric, others in _COMPARISON.items()
            for other, figures in others.items()
        ],
        columns=[
            "metric", "term", "context", "method",
            "estimate", "conf_low", "conf_high", "p_value", "p_below",
            KIND, *PARTS["term"],
        ],
    )  # fmt: skip


def weight_signs() -> pd.DataFrame:
    """Return context, feature, sign of the weights that the text interprets (about .2 or more)."""
    return pd.DataFrame(
        [
            (context, feature, sign)
            for context, signs in _WEIGHT_SIGNS.items()
            for feature, sign in signs.items()
        ],
        columns=["context", "feature", "sign"],
    )
