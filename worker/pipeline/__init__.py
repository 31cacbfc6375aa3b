"""A leased chunk's way to its commit. Knows no Celery."""
