"""What can go wrong while a model is made and that a person can do something about."""

from __future__ import annotations

from contract.errors import BadModel, RetortError


class AlreadyTraining(RetortError):
    """Another process works on the same run."""

    code = "already-training"


class BadBaseModel(BadModel):
    """The pretrained model is missing, altered, or of another kind."""

    code = "bad-base-model"


class BadData(RetortError):
    """The table of texts can't be read, lacks a column, or is too small or too damaged to learn from."""

    code = "bad-data"


class BadDownload(RetortError):
    """A download failed, or what arrived is not what was asked for."""

    code = "bad-download"


class Diverged(RetortError):
    """The loss is no longer a number."""

    code = "diverged"


class WorseModel(RetortError):
    """The new version scores lower than the current one by more than the margin; it was not made current."""

    code = "worse-model"
