"""Notes of plans, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

NOTE_POWER = Template(
    "plan_power",
    "power is the proportion of {n_studies} simulated studies in which {event}; {column conf_low} "
    "and {column conf_high} are Wilson's interval, which contains only the error of the simulation",
    report="power is the proportion of {n_studies} simulated studies in which {event}; its "
    "interval is Wilson's, which contains only the error of the simulation",
)
NOTE_ERROR_OF_PILOT = Template(
    "plan_error_of_pilot",
    "pilot_low and pilot_high are the power if the standard error were at the limits of the "
    "{level:percent} interval that {source} leave for it; this uncertainty does not become "
    "smaller with more simulated studies",
)
NOTE_ASSURANCE = Template(
    "plan_assurance",
    "assurance is the power averaged over the uncertainty of {source}; where the power is high it "
    "is lower, because a larger variation costs more power than a smaller one gains",
)
NOTE_RELIABILITY_OF_PILOT = Template(
    "plan_reliability_of_pilot",
    "pilot_low and pilot_high are the power if the reliability were at the limits of the "
    "{level:percent} interval from {source}; this uncertainty does not become smaller with more "
    "simulated studies",
)
NOTE_SUBJECTS = Template(
    "plan_whole_subjects",
    "the simulated studies consist of whole subjects of the pilot, drawn with replacement; they "
    "contain no kind of subject that is not in the pilot, so that with few subjects or skewed "
    "scores the power is on average too high",
)
NOTE_RMSE = Template(
    "plan_rmse",
    "the power of a difference of RMSE is on average too high if errors are skewed: from simulated "
    "pilots of 8, 14 and 30 subjects it was on average {small:.2f}, {middle:.2f} and {large:.2f} "
    "where the true power was {true:.2f}",
)
NOTE_NORMAL = Template(
    "plan_normal",
    "the simulated studies have normally distributed effects and {equal}; skewed scores, and "
    "subjects who differ in how strongly {what} are related, have less power",
)
NOTE_RATINGS = Template(
    "plan_ratings",
    "the simulated ratings have normally distributed effects, and {raters}; interactions of "
    "subjects with raters are part of the residual; with skewed scores, or a few subjects who are "
    "much more expressive than the others, studies have less power",
)
NOTE_CHOSEN = Template(
    "plan_chosen_difference",
    "the difference is the one that was given; the pilot's own is {observed} and is not used, "
    "because a plan for the difference that a pilot happens to show is usually too small",
)
NOTE_CHOSEN_SLOPE = Template(
    "plan_chosen_slope",
    "the slope is the one that was given, per standard deviation of the feature; the pilot's own "
    "is {observed} and is not used, because a plan for the slope that a pilot happens to show is "
    "usually too small",
)
NOTE_LEFT_OUT = Template(
    "plan_left_out",
    "{n:count row, was, were} left out of the pilot because a value is missing",
)
NOTE_UNDEFINED = Template(
    "plan_undefined",
    "in some simulated studies there was no test or interval (column n_undefined); they count as "
    "studies without the finding",
)
NOTE_BELOW = Template(
    "plan_reliability_below",
    "in some designs the reliability that the plan assumes is not above {given:g} (column "
    "assumed), so that no number of subjects can show that it is",
)
NO_PILOT = Template(
    "plan_without_size",
    "the size of the published study is not known; add its numbers of subjects and of clips per "
    "subject to the published numbers",
)()
NO_PILOT_INTERVAL = Template(
    "plan_without_interval", "the reliability of the pilot has no interval"
)
NO_PUBLISHED_INTERVAL = Template(
    "plan_without_published_interval",
    "the interval of the published reliability is not known; add 'low' and 'high' to the "
    "published numbers",
)()
NOT_REACHED = Template(
    "plan_not_reached",
    "the power is below {goal:percent} at {n} subjects, the largest number of the plan",
)
AT_SMALLEST = Template(
    "plan_at_smallest",
    "the power is at least {goal:percent} at {n} subjects, the smallest number of the plan; fewer "
    "may suffice",
)
BAND_BEYOND = Template(
    "plan_band_beyond",
    "a number that is missing is above {n}, the largest number of the plan",
)
