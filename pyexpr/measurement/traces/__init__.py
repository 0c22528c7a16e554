"""Reliability of traces: ratings sampled over time, by several raters of a clip."""
