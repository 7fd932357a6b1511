"""Reading a 3D image of any format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from ..background import without_gaps
from ..errors import InputNotFoundError, UnreadableInputError
from ..files import require_utf8
from ..volume import Volume
from .checks import made_rectangular, thick_slices
from .dicom.files import is_dicom
from .dicom.volume import read_dicom
from .image_file import read_file


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read a 3D image: NIfTI, ANALYZE, NRRD, MetaImage, a DICOM folder or an enhanced DICOM file.

    Axes that are nearly at right angles (`checks.MAXIMUM_SHEAR`) are made so, and NaN around the image is filled.

    :param series: if DICOM has several series: UID, number or description of one, or UID of a study.
    :return: `meta` contains ``format``, ``warnings`` if there are any, and for DICOM what `read_dicom` names.
    :raises SpineMeasureError: one of its subclasses, which says what is wrong with the input.
    """
    path = Path(path)
    require_utf8(path, UnreadableInputError)
    if not path.exists():
        raise InputNotFoundError(f"There is no file or folder {path.name}.", "Check the path.")
    with np.errstate(all="ignore"):  # a damaged header may state any numbers; the results are checked
        volume = without_gaps(made_rectangular(_read(path, series)))
    found = [*thick_slices(volume.affine), *ignored_series(path, series)]
    earlier = cast("list[str]", volume.meta.get("warnings", []))
    return replace(volume, meta={**volume.meta, "warnings": [*earlier, *found]}) if found else volume


def ignored_series(path: Path, series: str | None) -> list[str]:
    """Return a warning if a series is chosen for an image that is not DICOM."""
    if series is None or _is_dicom(path):
        return []
    return [f"{path.name} is not DICOM; the choice of a series ({series}) was ignored."]


def _is_dicom(path: Path) -> bool:
    return path.is_dir() or is_dicom(path)


def _read(path: Path, series: str | None) -> Volume:
    try:
        return read_dicom(path, series) if _is_dicom(path) else read_file(path)
    except PermissionError as error:
        raise UnreadableInputError(
            f"{path.name} cannot be read: permission denied.", "Check its permissions."
        ) from error
