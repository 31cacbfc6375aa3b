"""The command line. TensorFlow and pandas are imported by the verbs that need them: the others answer at once."""

from training.cli import importing, inputs, models, train
from training.cli.app import app

__all__ = ["app", "importing", "inputs", "models", "train"]
