"""Messages in the syntax of R: its arguments, values, columns and calls."""

from __future__ import annotations

import math
from typing import Any, Final

from pyexpr.base.messages import Template, Voice, in_voice

#: Columns that broom has, too, bear broom's name; R/R/words.R holds the same list.
BROOM: Final = {
    "std_error": "std.error", "p_value": "p.value", "p_adjusted": "adj.p.value",
    "conf_low": "conf.low", "conf_high": "conf.high", "std_all": "std.all",
    "aic": "AIC", "bic": "BIC", "logl": "logLik",
    "rmsea_conf_low": "rmsea.conf.low", "rmsea_conf_high": "rmsea.conf.high",
}  # fmt: skip
_VALUES = {"True": "TRUE", "False": "FALSE", "None": "NULL", "NaN": "NA", "nan": "NA", "inf": "Inf"}
# A call in Python -> the equivalent in R.
_CALLS = {
    # In R, folds of whole subjects are made by tidymodels.
    "px.subject_folds": "rsample::group_vfold_cv()",
    # For a factor, as.numeric() alone gives the codes of its levels.
    "pandas.to_numeric": "as.numeric(as.character(x))",
    "px.multilevel_icc": "multilevel_icc()",
    "schedules.BP4D_PLUS": '"bp4d_plus"',
    # Calls of fitted models.
    "compare()": "compare_models(x)",
    "compare_procedures()": "compare_procedures(x)",
    "over_repeats()": "over_repeats(x)",
}
_ARGUMENTS = {"X": "data"}


class _R(Voice):
    """Whole numbers are written without a point, several values with c()."""

    def text_of(self, template: Template) -> str:
        return template.text if template.r is None else template.r

    def argument(self, name: str) -> str:
        return f"`{_ARGUMENTS.get(name, name)}`"

    def option(self, name: str, value: Any = None, *, bare: bool = False) -> str:
        return f"`{name}`" if bare else f"`{name} = {self.code(value)}`"

    def column(self, name: str) -> str:
        return BROOM.get(name, name)

    def table(self, name: str) -> str:
        return f'tidy(x, "{name}")'

    def call(self, code: str) -> str:
        return _CALLS.get(code, code)

    def value(self, code: str) -> str:
        return _VALUES.get(code, code)

    def code(self, value: Any) -> str:
        if isinstance(value, float) and math.isfinite(value) and value == int(value):
            return repr(int(value)) if abs(value) < 1e15 else repr(value)
        if value is None or isinstance(value, bool | float):
            text = repr(value)
            return f"-{_VALUES['inf']}" if text == "-inf" else _VALUES.get(text, text)
        if isinstance(value, list | tuple):
            return f"c({', '.join(map(self.code, value))})"
        return repr(value)


#: What R shows is in.
R: Final = _R()


def in_r(text: str) -> str:
    """Return a message in the syntax of R; text from elsewhere is returned unchanged."""
    return in_voice(text, R)
