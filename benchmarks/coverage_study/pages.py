"""Pages of which a part is counted anew."""

from __future__ import annotations

from collections.abc import Mapping


def with_earlier(old: str, new: str, counted: Mapping[str, bool]) -> str:
    """Return the new page with the old one's parts where nothing was counted this time.

    A part that was never counted is left out.

    Parameters
    ----------
    old, new : str
        Of Markdown; parts are those of level 2, by their titles, and "" is what stands before.
    counted : mapping of str to bool
        Whether a part was counted, by its title.
    """
    before, after = _parts(old), _parts(new)
    kept = {
        title: before[title] if title in before and not counted[title] else text
        for title, text in after.items()
        if counted[title] or title in before
    }
    return "\n## ".join(f"{title}\n{text}" if title else text for title, text in kept.items())


def _parts(page: str) -> dict[str, str]:
    head, *parts = page.split("\n## ")
    named = (part.partition("\n") for part in parts)
    return {"": head} | {title: f"{text.rstrip()}\n" for title, _, text in named}
