"""What a run keeps on disk, and how it knows that it is unchanged."""
