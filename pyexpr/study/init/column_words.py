"""The role of a column by its name: subject, context, clip, rater, and so on."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Role in a study -> the words in the names of its columns, the plainest first.
WORDS: dict[str, tuple[str, ...]] = {
    "subject": (
        "subject", "subj", "participant", "person", "respondent", "proband", "patient", "actor",
        "sub", "ppt", "vp", "pid", "sid", "id",
    ),
    "context": (
        "context", "task", "condition", "cond", "situation", "scenario", "instruction", "setting",
        "phase", "block",
    ),
    "clip": (
        "clip", "video", "trial", "segment", "stimulus", "excerpt", "episode", "window", "slice",
    ),
    "rater": ("rater", "coder", "judge", "observer", "annotator", "labeller", "labeler"),
    "question": ("question", "item", "dimension", "scale", "attribute", "quest"),
    "score": ("score", "rating", "response", "answer", "judgement", "judgment", "value"),
    "openface": ("openface", "recording", "file", "path", "filename", "filepath", "csv"),
    "label": ("label", "target", "outcome", "truth", "criterion", "y", "score", "rating"),
}  # fmt: skip
# Columns of numbers that describe the measurement or the subject of a clip, not the behaviour.
NO_FEATURES = (
    "quality", "confidence", "success", "valid", "nframes", "frames", "frame", "duration",
    "timestamp", "time", "start", "end", "fps", "index", "row", "unnamed", "age", "sex", "gender",
    "session", "weight", "order", "date", "year",
)  # fmt: skip
_ENDINGS = ("", "id", "ids", "nr", "no", "num", "number", "name", "code", "label", "key")


def plain(name: str) -> str:
    """Return a name in small letters and digits alone."""
    return re.sub(r"[\W_]", "", name.casefold())


def columns_of(part: str, names: Iterable[str]) -> list[str]:
    """Return the columns whose name has this role, only those with the plainest word."""
    written = {name: plain(name) for name in names}
    for word in WORDS[part]:
        known = {word + ending for ending in _ENDINGS}
        found = [name for name, text in written.items() if text in known]
        if found:
            return found
    return []


def is_no_feature(name: str) -> bool:
    """Say whether a column of numbers seems to describe a clip's measurement or subject."""
    tokens = [plain(token) for token in re.split(r"[\W_]+", name)]
    return plain(name) in NO_FEATURES or any(token in NO_FEATURES for token in tokens if token)
