"""A table of texts and labels, and what becomes of it before training."""
