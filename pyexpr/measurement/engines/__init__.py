"""One protocol for the engines that fit the factor model."""
