"""Versions of the software, for run.json."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from .. import __version__

_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch", "monai", "slicer-core", "pydicom")


def versions() -> dict[str, str]:
    """Versions of this program, Python and the packages that it computes with."""
    found = {"spinemeasure": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
