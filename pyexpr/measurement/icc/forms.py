"""The six forms of the intraclass correlation: their names, and when each applies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say


@dataclass(frozen=True, slots=True)
class Form:
    """One form of the intraclass correlation.

    Attributes
    ----------
    name, shrout_fleiss : str
        The names by McGraw and Wong (1996) and by Shrout and Fleiss (1979).
    family : str
        ``one_way``, ``agreement`` or ``consistency``: what counts as error.
    average : bool
        Whether it is the reliability of a mean of k ratings, not of one.
    """

    name: str
    shrout_fleiss: str
    family: str
    average: bool


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("ICC(1,1)", "ICC(1,1)", "one_way", False),
        Form("ICC(1,k)", "ICC(1,k)", "one_way", True),
        Form("ICC(A,1)", "ICC(2,1)", "agreement", False),
        Form("ICC(A,k)", "ICC(2,k)", "agreement", True),
        Form("ICC(C,1)", "ICC(3,1)", "consistency", False),
        Form("ICC(C,k)", "ICC(3,k)", "consistency", True),
    )
}

_BY_ANY_NAME = {
    alias.casefold().replace(" ", ""): form
    for form in FORMS.values()
    for alias in (form.name, form.shrout_fleiss)
}


def find_form(name: str) -> Form:
    """Return the form with that name, of either kind; `DataError` if there is none."""
    form = _BY_ANY_NAME.get(str(name).casefold().replace(" ", ""))
    if form is None:
        hint = near_names(str(name), FORMS, lead="there are")
        raise DataError(f"there is no form {name!r} of the ICC; {hint}")
    return form


def chosen_forms(form: str | Iterable[str]) -> tuple[Form, ...]:
    """Return the forms that ``form=`` requests, in the order of `FORMS`."""
    if isinstance(form, str):
        if form == "all":
            return tuple(FORMS.values())
        return (find_form(form),)
    if not isinstance(form, Iterable):
        raise DataError(
            say('{form=} must be "all", a form or a list of them, not {given!r}', given=form)
        )
    wanted = {find_form(name).name for name in form}
    if not wanted:
        raise DataError(say('{form=} is empty; give "all" or some of {names}', names=listed(FORMS)))
    return tuple(item for item in FORMS.values() if item.name in wanted)
