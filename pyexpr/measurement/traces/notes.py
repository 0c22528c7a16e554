"""Notes of the reliability of traces, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

NO_VALUES = Template("trace_without_values", "the trace has no values")()
TOO_SHORT = Template(
    "trace_too_short",
    "the trace has values in {share:percent} % of the clip's frames, less than {least:percent} %",
)
ALONE = Template("trace_alone", "no other rater's trace of this clip was used")()
NO_OVERLAP = Template("traces_without_common_frame", "the clip's traces have no frame in common")()
CONSTANT = Template("trace_constant", "the trace is constant")()
NO_PEAK = Template(
    "lag_without_peak",
    "the correlation with the other raters has no maximum within {max_lag:g} seconds",
)
NO_LAG = Template(
    "lag_undefined", "no trace of this rater varies together with one of another rater"
)()
LAG_JUMPS = Template(
    "lag_undefined_without_one",
    "the lag is undefined if one of the subjects is left out, so there is no interval",
)()
NOTE_FRAMES = Template(
    "trace_frames",
    "traces were resampled to {rate:.4g} frames per second by {filled}; gaps of more than "
    "{max_gap:g} seconds were not filled, and only frames that all traces of a clip have are used",
)
NOTE_ALIGNED = Template(
    "trace_lags_removed",
    "each rater's lag relative to the mean of the raters was removed ({lags}); intervals of "
    "reliabilities treat the lags as known",
)
NOTE_NOT_ALIGNED = Template(
    "trace_lags_kept",
    "raters' lags were estimated ({lags}) but not removed; {align=True} removes them",
    # Studies have no traces.
    report="",
)
NOTE_COMMON_LAG = Template(
    "trace_common_lag",
    "lags are relative to the mean of the raters: a delay that all raters share cannot be seen",
)()
NOTE_LEVELS = Template(
    "trace_levels",
    "level frame: the value of a moment, differences between clips included; within: moments "
    "about the mean of each clip and rater; clip: the means of clips",
)()
NOTE_SUBJECTS = Template(
    "trace_subjects",
    "intervals come from leaving out one subject at a time, since frames and clips of a subject "
    "are not independent",
)()
NOTE_LEFT_OUT = Template(
    "traces_left_out",
    "{n:count trace, is, are} left out; {table traces} gives the reasons",
    report="",
)
NOTE_CONSTANT = Template(
    "traces_constant",
    "{n:count trace, is, are} constant: it is used, but adds nothing to the reliability within "
    "clips and to the lags",
)
NOTE_MISSING = Template("trace_values_missing", "{missing:count missing value, was, were} left out")
