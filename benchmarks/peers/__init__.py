"""What else serves such a model on a CPU, on the same weights and texts: `make bench_peers`."""
