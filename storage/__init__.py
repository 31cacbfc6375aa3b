"""Models in object storage: a bucket that training publishes to, and folders that are kept in step with it.

API, workers and training read a folder, be it the volume or one of these; only what keeps it in step knows of buckets.
"""
