"""Labels and sentences as a reader sees them."""
