"""What training and serving must agree on about a model: text to ids, tensors and their shapes, number formats.

Imports `contract`, numpy, tokenizers and safetensors; no TensorFlow, no Redis, and nothing of the services.
"""
