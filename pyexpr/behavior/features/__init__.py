"""Features of clips: displacement, velocity, and what stands beside them."""
