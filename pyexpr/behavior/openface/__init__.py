"""Recordings of OpenFace read and checked."""
