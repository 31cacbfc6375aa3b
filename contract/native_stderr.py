"""What libraries in C write to standard error while they are loaded, as lines of the log.

TensorFlow greets whoever imports it there, before any level of its own is read: noise on a newcomer's screen, and no
JSON among a service's log lines.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


@contextmanager
def logged(logger: logging.Logger) -> Iterator[None]:
    """Log each line that this process writes to file descriptor 2 meanwhile, at INFO; at ERROR if the block raises."""
    sys.stderr.flush()
    shown = os.dup(STDERR)
    level = logging.INFO
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), STDERR)
        try:
            yield
        except BaseException:
            level = logging.ERROR
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, STDERR)
            os.close(shown)
            written.seek(0)
            for line in written.read().decode(errors="replace").splitlines():
                logger.log(level, line)
