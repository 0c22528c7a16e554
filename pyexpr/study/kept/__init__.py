"""What a run stores on disk, and how it recognises that it is unchanged."""
