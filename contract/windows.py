"""Windows: how a text that is longer than its model is read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contract.strict import Strict

STRIDE_SHARE = 0.75
"""Of a window, from its start to that of the next."""
MOST = 64
"""Windows of a text that are learnt from, and that a worker reads unless it is told otherwise."""
LongReading = Literal["cut", "mean", "max"]


class Windows(Strict):
    """How a text that is longer than the model is read: cut off, or in windows whose logits are pooled."""

    pooling: LongReading
    length: int = Field(ge=3, description="tokens of a window, special ones included")
    stride: int = Field(ge=1, description="tokens from the start of one window to that of the next")

    @classmethod
    def usual(cls, pooling: LongReading, max_length: int) -> Windows:
        """As long as the model reads, each with a quarter of the one before it."""
        return cls(pooling=pooling, length=max_length, stride=max(1, int(STRIDE_SHARE * max_length)))

    def reach(self, windows: int) -> int:
        """Tokens of a text that so many windows hold at most."""
        return self.length + (windows - 1) * self.stride
