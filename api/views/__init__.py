"""The addresses of the service, a blueprint each."""
