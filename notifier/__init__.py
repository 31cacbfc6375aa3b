"""The notifier: delivers the webhooks that are owed. The only service that connects to anything but Redis.

It imports contract, and none of the other services.
"""
