"""From a tidy frame to a picture."""
