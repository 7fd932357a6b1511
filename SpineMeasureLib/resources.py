"""Find the shared data files in a source checkout, an installed wheel or a Slicer extension."""

from __future__ import annotations

from pathlib import Path

from .errors import ModelError

_PACKAGE = Path(__file__).resolve().parent

# Checkout: siblings of the package. Wheel: `SpineMeasureLib/_data`. Slicer: the package is in qt-scripted-modules,
# the data in qt-scripted-modules/SpineMeasureData.
_ROOTS = (_PACKAGE / "_data", _PACKAGE.parent / "SpineMeasureData", _PACKAGE.parent)


def data_path(relative: str) -> Path:
    """Return the absolute path of ``Resources/...`` or ``models/...``.

    :raises ModelError: the file is missing; the installation is incomplete.
    """
    for root in _ROOTS:
        candidate = root / relative
        if candidate.exists():
            return candidate
    raise ModelError(f"The file {relative} is missing from this installation.", "Install SpineMeasure again.")
