"""How much stack R may use in the thread that calls it.

R measures its stack once, in the thread that starts it. rpy2 lets other threads call R, so it
switches R's check off, and a recursion that is too deep ends the process. Here the check is on
while R works, with the bounds of the thread that calls.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Proportion of the stack. R takes 0.95 in its own thread; it needs the rest to report the error.
USABLE = 0.9
# More than any system's pthread_attr_t has.
_ATTRIBUTES = 512


def thread_stack() -> tuple[int, int] | None:
    """Return the highest address of this thread's stack and its bytes; None where unknown."""
    if sys.platform == "linux":
        return _linux_stack()
    if sys.platform == "darwin":
        return _macos_stack()
    return None


def _linux_stack() -> tuple[int, int] | None:
    library = ctypes.CDLL(None)
    library.pthread_self.restype = ctypes.c_void_p
    attributes = ctypes.create_string_buffer(_ATTRIBUTES)
    lowest, size = ctypes.c_void_p(), ctypes.c_size_t()
    if library.pthread_getattr_np(ctypes.c_void_p(library.pthread_self()), attributes) != 0:
        return None
    failed = library.pthread_attr_getstack(attributes, ctypes.byref(lowest), ctypes.byref(size))
    library.pthread_attr_destroy(attributes)
    return None if failed else ((lowest.value or 0) + size.value, size.value)


def _macos_stack() -> tuple[int, int]:
    library = ctypes.CDLL(None)
    library.pthread_self.restype = ctypes.c_void_p
    library.pthread_get_stackaddr_np.restype = ctypes.c_void_p
    library.pthread_get_stacksize_np.restype = ctypes.c_size_t
    thread = ctypes.c_void_p(library.pthread_self())
    size: int = library.pthread_get_stacksize_np(thread)
    return int(library.pthread_get_stackaddr_np(thread)), size


@contextmanager
def checked_stack(rlib: Any, ffi: Any) -> Iterator[None]:
    """Let R check the stack of this thread; `rlib` and `ffi` are those of rpy2.

    An R that already checks its stack is left alone.
    """
    unchecked = ctypes.c_size_t(-1).value
    stack = thread_stack()
    if stack is None or int(rlib.R_CStackLimit) != unchecked:
        yield
        return
    start = rlib.R_CStackStart
    rlib.R_CStackStart = ffi.cast("uintptr_t", stack[0])
    rlib.R_CStackLimit = ffi.cast("uintptr_t", int(USABLE * stack[1]))
    try:
        yield
    finally:
        rlib.R_CStackLimit = ffi.cast("uintptr_t", unchecked)
        rlib.R_CStackStart = start
