"""Checked calls of the compiled kernels: the only package that imports the extension."""
