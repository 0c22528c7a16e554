"""One protocol, several doors to whoever fits the factor model."""
