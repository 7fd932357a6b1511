"""How many processor threads the libraries use."""

from __future__ import annotations

import os

#: What numpy's and PyTorch's kernels, SimpleITK and VTK ask for when they load.
_ASKED = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "VTK_SMP_MAX_THREADS",
)


def limit_threads(count: int) -> None:
    """Let libraries that load from now on, here and in child processes, use `count` threads each; 0 for all."""
    if count:
        os.environ.update(dict.fromkeys(_ASKED, str(count)))
