"""Random numbers: one counter-based generator, one stream per purpose.

The key of Philox 4x64-10 is (seed, stream), so the draws of one purpose never
depend on how many another has used (Salmon et al., 2011).
"""

from __future__ import annotations

import numpy as np

from pyexpr.base.checks import is_whole
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

BOOTSTRAP = 1
SIGN_FLIPS = 2
SPLITS = 3
BASELINES = 4
FOLDS = 5
TRAINING = 6
MULTIPLIERS = 7
PARTNERS = 8
DONORS = 9
PLANS = 20


def checked_seed(seed: int) -> int:
    """Return the seed as an int in [0, 2**64), or raise `DataError`."""
    if not is_whole(seed):
        raise DataError(say("{seed=} must be a whole number, not {given!r}", given=seed))
    if not 0 <= int(seed) < 2**64:
        raise DataError(say("{seed=} must be between 0 and 2^64 - 1, not {given}", given=seed))
    return int(seed)


def generator(seed: int, stream: int, block: int = 0) -> np.random.Generator:
    """Return NumPy's generator on (seed, stream), starting at the given block of the counter."""
    key = np.array([checked_seed(seed), stream], dtype=np.uint64)
    counter = np.array([0, block, 0, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
