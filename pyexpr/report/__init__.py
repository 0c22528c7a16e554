"""Tables and figures from results; computes nothing."""
