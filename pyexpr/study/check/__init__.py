"""The output of `pyexpr check`: what a study would do, and what is wrong."""
