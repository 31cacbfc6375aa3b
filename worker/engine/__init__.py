"""A model on a device: weights, encoder, packing. Knows no Redis and no Celery."""
