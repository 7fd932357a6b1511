"""Errors that end in one plain sentence for the user, a hint what to do, and a distinct exit code."""

from __future__ import annotations

import unicodedata

#: Unicode categories of what moves the cursor, ends a line or starts a command of the terminal.
_UNPRINTABLE = ("Cc", "Zl", "Zp")
#: Characters that let text be read in another order than it is stored.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """`text` on one line of a terminal: bytes of a file name that are not UTF-8 become question marks, line ends and
    other control characters are spelled out (``\\n``)."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _UNPRINTABLE or c in _DIRECTIONS else c
        for c in text
    )


class PlainError(BaseException):
    """What ends the work and is shown to the user: an error, or that the work was cancelled.

    :param message: one plain sentence saying what was wrong.
    :param hint: one plain sentence saying what to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SpineMeasureError(PlainError, Exception):
    """Base of every error shown to the user."""


class OptionError(SpineMeasureError):
    """An option has a value that it cannot have."""

    exit_code = 2


class InputNotFoundError(SpineMeasureError):
    """The path does not exist."""

    exit_code = 10


class UnreadableInputError(SpineMeasureError):
    """The file exists but is no image this program can read, or its name cannot be passed on."""

    exit_code = 11


class DimensionError(SpineMeasureError):
    """The image is 2D, 4D or has colour channels."""

    exit_code = 12


class EmptyVolumeError(SpineMeasureError):
    """The image is empty or constant."""

    exit_code = 13


class NonFiniteVolumeError(SpineMeasureError):
    """The image holds NaN or infinite values."""

    exit_code = 14


class SpacingError(SpineMeasureError):
    """Voxel spacing is missing, contradictory, or too coarse to measure in; or so is where the image lies."""

    exit_code = 15


class ModalityError(SpineMeasureError):
    """The image is not an MRI (a CT, for example)."""

    exit_code = 16


class DicomSeriesError(SpineMeasureError):
    """The DICOM folder holds no usable series, several (or several studies) to choose from, or a damaged one."""

    exit_code = 17


class TooLargeError(SpineMeasureError):
    """The image is larger than this program handles."""

    exit_code = 18


class GeometryMismatchError(SpineMeasureError):
    """A label map does not lie on the grid of its image."""

    exit_code = 19


class ReviewedCaseError(SpineMeasureError):
    """What was done to a case in a review is in its scene, not in its tables."""

    exit_code = 20


class UnfinishedCaseError(SpineMeasureError):
    """The files of a measured case were not all written, or one was changed since."""

    exit_code = 21


class ModelError(SpineMeasureError):
    """The model bundle is missing, damaged or does not match its checksum."""

    exit_code = 30


class DependencyError(SpineMeasureError):
    """A package that this step needs is not installed."""

    exit_code = 31


class DeviceError(SpineMeasureError):
    """The requested device is not there, or memory ran out."""

    exit_code = 32


class NothingFoundError(SpineMeasureError):
    """No disc and no vertebra was found, or a label map holds none."""

    exit_code = 33


class LevelNameError(SpineMeasureError):
    """A level name is unknown or does not fit the spine in view."""

    exit_code = 34


class OutputError(SpineMeasureError):
    """The outputs could not be written, or their folder has a name that cannot be passed on."""

    exit_code = 40


class ArchiveError(SpineMeasureError):
    """The DICOM archive cannot be reached, the connection broke off, or it is out of order."""

    exit_code = 50


class ArchiveAccessError(ArchiveError):
    """The DICOM archive refuses the login or the object, or its certificate cannot be verified."""

    exit_code = 51


class ArchiveStudyError(ArchiveError):
    """The DICOM archive has no such study, or several fit the query."""

    exit_code = 52


class CancelledError(PlainError):
    """The user stopped the work. No `Exception`, which a library might take for a fault of its own and go on."""

    exit_code = 130


def as_plain(error: BaseException) -> PlainError | None:
    """`error` as the user is told it; None if this program did not expect it."""
    if isinstance(error, PlainError):
        return error
    if isinstance(error, MemoryError):
        return DeviceError("The computer ran out of memory.", "Crop the image to the spine, or close other programs.")
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(__package__):
        return DependencyError(
            f"The package '{error.name}' is not installed.", "Install it with: pip install 'spinemeasure'."
        )
    return None
