"""What ties a worker to Redis and Celery: messages, heartbeat, sweeps."""
