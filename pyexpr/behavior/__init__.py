"""OpenFace recordings and video to clips and features."""
