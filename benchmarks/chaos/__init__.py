"""Faults of every kind against a whole service under load, and an audit of every job that it accepted."""
