"""What tests and benchmarks share: real processes of the service, tiny models, right answers. No service imports it."""
