"""Reliability of a clip within its subject and of a subject: multilevel ICCs."""
