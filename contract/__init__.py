"""What the services agree on: messages, the job record, artifacts, settings, Celery's configuration.

Standard library, redis and pydantic only. Every service imports this package; this package imports none of them.
"""
