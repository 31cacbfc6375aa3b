"""The HTTP service: Flask takes batches of texts, the job record holds them, Celery workers answer them.

Imports contract, never worker or training, and no TensorFlow.
"""

__version__ = "0.1.0"
