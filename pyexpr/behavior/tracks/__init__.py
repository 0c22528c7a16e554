"""Tables of tracked points of any tracker, read by a layout that says what stands in them."""
