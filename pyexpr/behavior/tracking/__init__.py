"""Trackers of faces run on videos: from a video to a table of points."""
