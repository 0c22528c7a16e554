"""The compiled kernels behind checked arguments: the only room that imports the extension."""
