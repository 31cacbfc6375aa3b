"""How large the batches of one model may be at the moment."""

from __future__ import annotations

import logging

from worker.metrics import HALVED_BUDGETS

log = logging.getLogger(__name__)
LEAST_TOKENS = 64
CAREFUL_TEXTS, CAREFUL_SHARE = 300, 4
"""After a text that the model failed on, batches have so many times fewer tokens for so many texts: where one text is
poisonous there are others, and each costs its batch."""


class TokenBudget:
    """The bounds on a model's batches: what suits the device, less after it ran out of memory or failed on a text."""

    def __init__(self, batch_tokens: int, brief_tokens: int) -> None:
        """`batch_tokens` are those of a full batch, `brief_tokens` of one that is soon over."""
        self._batch_tokens = batch_tokens
        self._brief_tokens = brief_tokens
        self._careful_texts = 0
        """How many texts still go in small batches."""
        self.max_tokens: int | None = None
        """Tokens of a batch at most, once the device has run out of memory."""

    def tokens(self, *, brief: bool) -> int:
        """Tokens of the next batch at most; `brief` for one that is soon over."""
        bounds = [self.max_tokens or self._batch_tokens]
        if brief:
            bounds.append(self._brief_tokens)
        if self._careful_texts > 0:
            bounds.append(self._batch_tokens // CAREFUL_SHARE)
        return min(bounds)

    def be_careful(self) -> None:
        """Make batches small for a while: a text failed by itself."""
        self._careful_texts = CAREFUL_TEXTS

    def note_computed(self, texts: int) -> None:
        """Count texts that went through the device unharmed."""
        self._careful_texts -= texts

    def halve(self) -> bool:
        """Bound batches to half the tokens, as the device has run out of memory; True when that can help."""
        tokens = self.max_tokens or self._batch_tokens
        if tokens <= LEAST_TOKENS:
            return False
        self.max_tokens = tokens // 2
        HALVED_BUDGETS.inc()
        log.warning("out of memory: batches have %d tokens at most from now on", self.max_tokens)
        return True
