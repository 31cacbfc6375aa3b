"""Runs Retort on this machine without Docker: what `make demo`, `status`, `logs` and `down` do."""
