"""Measurements that anyone can run again: `make bench` and `make chaos`. Never asserted in tests."""
