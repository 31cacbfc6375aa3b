"""Writing a safetensors file so that a crash at any instant leaves either the old or the new one, whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from contract import durable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str] | None = None
) -> None:
    """Replace `path` by a safetensors file, at once, and survive a power cut afterwards.

    Raises OSError when the disk is full, as every other write does.
    """
    from safetensors.numpy import save_file  # numpy, which who runs the command line may want imported otherwise

    with durable.replacing(path) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise
