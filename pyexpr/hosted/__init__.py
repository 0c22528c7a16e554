"""Called from R: one function, from the bytes of R's `serialize()` to such bytes."""
