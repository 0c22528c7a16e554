"""Notes of the ceiling, and the reasons of missing numbers."""

from __future__ import annotations

from pyexpr.base.messages import Template

NO_SECOND_RATING = Template(
    "ceiling_needs_two_ratings",
    "no target has two ratings, so that the error of the ratings cannot be estimated",
)()
NOT_RELIABLE = Template(
    "ceiling_without_reliability",
    "the estimated reliability is not positive: the targets differ no more than the raters of one "
    "target do",
)()
CONSTANT_TRUTH = Template("ceiling_constant_truth", "the truth does not vary")()
CONSTANT_PREDICTION = Template("ceiling_constant_prediction", "the prediction does not vary")()
ERROR_OF_RATINGS_LARGER = Template(
    "ceiling_error_of_ratings_larger",
    "the error of the model is smaller than the estimated error of the ratings",
)()
NO_ERROR = Template("ceiling_no_error", "the model makes no error")()
NOTE_WHAT = Template(
    "ceiling_assumptions",
    "the correlation with the error-free score is the correlation divided by the ceiling; it "
    "assumes that the errors of the ratings are independent of the predictions",
)()
NOTE_ONE_WAY = Template(
    "ceiling_one_way",
    "the error of the ratings is the variation between the raters of a target (one-way), which "
    "includes how severe each rater is",
)()
NOTE_CONSISTENCY = Template(
    "ceiling_consistency",
    "the error of the ratings does not include how severe each rater is, because the same raters "
    "rated all targets",
)()
NOTE_WEIGHTS = Template(
    "ceiling_weights",
    "the truth is a weighted sum of the mean ratings of {questions:count question}; the weights "
    "are taken as given and do not vary with the draw of subjects",
)
NOTE_OTHER_TARGETS = Template(
    "ceiling_other_targets",
    "{n:count rating, was, were} left out: the rated target is not among the rows compared",
)
NOTE_INCOMPLETE = Template(
    "ceiling_incomplete_raters",
    "{n:count rating, does, do} not contribute to the error of the ratings: the rater did not "
    "answer every question about the target",
)
NOTE_ROWS = Template(
    "ceiling_rows_left_out",
    "{n:count row, was, were} left out because the truth or a prediction is missing",
)
