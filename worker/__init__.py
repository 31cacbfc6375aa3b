"""The worker: takes tickets off the queue, answers their texts with the model it holds, commits the results.

Imports `contract`; never `api` or `training`.
"""
