"""The published study beside ours: its numbers, what follows from them, and a simulation."""
