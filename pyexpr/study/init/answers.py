"""Choices that the tables do not determine: made by an option, a question, or an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyexpr.base.errors import StudyError, listed, near_names

#: A question, the possible answers, and the proposed answer -> the answer.
Ask = Callable[[str, Sequence[str], str | None], str]


class Answers:
    """Answers of the user, given by options or to questions.

    Parameters
    ----------
    given : dict of str to str or None
        Options by name ("subject").
    ask : callable, optional
        Asks the user; None if there is no terminal.
    yes : bool
        Accept the proposed answers without asking.
    """

    def __init__(self, given: dict[str, str | None], ask: Ask | None, *, yes: bool) -> None:
        self.given = given
        self._ask = ask
        self._yes = yes

    def option(self, name: str) -> str | None:
        """Return the value of an option, or None if it was not given."""
        return self.given.get(name)

    def choose(
        self, name: str, question: str, choices: Sequence[str], proposed: str | None = None
    ) -> str:
        """Return the answer to a question, from the option, by asking, or as proposed.

        Raises
        ------
        StudyError
            If the option is not given and the user cannot be asked.
        """
        answer = self.given.get(name)
        if answer is None and self._yes and proposed is not None:
            return proposed
        if answer is None and self._ask is not None:
            answer = self._ask(question, choices, proposed)
        if answer is None:
            take = f", or --yes to take {proposed!r}" if proposed is not None else ""
            raise StudyError(f"{question} There are {listed(choices)}: name it by --{name}{take}")
        return answer

    def one_of(
        self, name: str, question: str, choices: Sequence[str], proposed: str | None = None
    ) -> str:
        """Return the answer of `choose`; raise an error if it is not among the choices."""
        answer = self.choose(name, question, choices, proposed)
        if answer not in choices:
            raise StudyError(
                f"--{name}: there is no {answer!r}; {near_names(answer, choices, lead='there are')}"
            )
        return answer
