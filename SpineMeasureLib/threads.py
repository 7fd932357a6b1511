"""Limit the processor threads of the libraries."""

from __future__ import annotations

import os

#: Variables that the kernels of numpy and PyTorch, SimpleITK and VTK read when they load.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "VTK_SMP_MAX_THREADS",
)


def limit_threads(count: int) -> None:
    """Let libraries that load from now on, also in child processes, use `count` threads each; 0 means all."""
    if count:
        os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
