"""Errors with one plain sentence for the user, a hint, a kind and a distinct exit code."""

from __future__ import annotations

import errno
import unicodedata

#: Unicode categories of characters that move the cursor, end a line or start a terminal command.
_UNPRINTABLE = ("Cc", "Zl", "Zp")
#: Characters that change the reading direction.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Return `text` in a form that fits on one line of a terminal.

    Bytes of a file name that are not UTF-8 become question marks; line ends and other control characters are spelled
    out (``\\n``).
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _UNPRINTABLE or c in _DIRECTIONS else c
        for c in text
    )


#: What went wrong, for whoever must decide what to do next; the last word of a child process that failed.
KINDS = (
    "input", "level", "empty", "weights", "packages", "device", "memory", "disk", "output", "job", "start", "killed",
    "cancelled", "unexpected",
)  # fmt: skip


class PlainError(BaseException):
    """What ends the work and is shown to the user: an error or a cancellation.

    :param message: one plain sentence that says what is wrong.
    :param hint: one plain sentence that says what to do about it.
    :cvar exit_code: exit code of the program.
    :cvar kind: one of `KINDS`.
    """

    exit_code = 1
    kind = "unexpected"

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SpineMeasureError(PlainError, Exception):
    """Base of every error shown to the user."""


class OptionError(SpineMeasureError):
    """An option has an invalid value."""

    exit_code = 2


class JobError(OptionError):
    """A child process does not understand the job it was given."""

    kind = "job"


class InputError(SpineMeasureError):
    """Base of the errors about an image or a label map."""

    kind = "input"


class InputNotFoundError(InputError):
    """The path does not exist."""

    exit_code = 10


class UnreadableInputError(InputError):
    """The file exists but is not an image that this program can read, or its name is not valid UTF-8."""

    exit_code = 11


class DimensionError(InputError):
    """The image is 2D, 4D or has colour channels."""

    exit_code = 12


class EmptyVolumeError(InputError):
    """The image is empty or constant."""

    exit_code = 13


class NonFiniteVolumeError(InputError):
    """The image contains NaN or infinite values."""

    exit_code = 14


class SpacingError(InputError):
    """The voxel spacing or the position of the image is missing or contradictory, or the voxels are too large."""

    exit_code = 15


class ModalityError(InputError):
    """The image is not an MRI (for example, it is a CT)."""

    exit_code = 16


class DicomSeriesError(InputError):
    """The DICOM folder has no usable series, a damaged one, or several series or studies to choose from."""

    exit_code = 17


class TooLargeError(InputError):
    """The image is larger than this program handles."""

    exit_code = 18


class GeometryMismatchError(InputError):
    """A label map is not on the grid of its image."""

    exit_code = 19


class ReviewedCaseError(SpineMeasureError):
    """The edits of a review are in the scene of a case but not in its tables."""

    exit_code = 20


class UnfinishedCaseError(SpineMeasureError):
    """Writing a measured case was interrupted, or one of its files has been changed since."""

    exit_code = 21


class ModelError(SpineMeasureError):
    """The model bundle is missing, damaged or does not match its checksum."""

    exit_code = 30
    kind = "weights"


class DependencyError(SpineMeasureError):
    """A package that this step needs is not installed."""

    exit_code = 31
    kind = "packages"


class DeviceError(SpineMeasureError):
    """The requested device is not available."""

    exit_code = 32
    kind = "device"


class OutOfMemoryError(DeviceError):
    """The memory is too small for the image."""

    kind = "memory"


class NothingFoundError(SpineMeasureError):
    """Neither a disc nor a vertebra was found, or a label map contains neither."""

    exit_code = 33
    kind = "empty"


class LevelNameError(SpineMeasureError):
    """A level name is unknown or does not fit the spine in view."""

    exit_code = 34
    kind = "level"


class OutputError(SpineMeasureError):
    """The outputs cannot be written, or the name of their folder is not valid UTF-8."""

    exit_code = 40
    kind = "output"


class DiskFullError(OutputError):
    """The disk has no space left for the outputs."""

    kind = "disk"


class ArchiveError(SpineMeasureError):
    """The DICOM archive cannot be reached or answers with an error, or the connection was lost."""

    exit_code = 50


class ArchiveAccessError(ArchiveError):
    """The DICOM archive refuses the login or the object, or its certificate cannot be verified."""

    exit_code = 51


class ArchiveStudyError(ArchiveError):
    """The DICOM archive has no matching study, or several."""

    exit_code = 52


class CancelledError(PlainError):
    """The user stopped the work. Not an `Exception`, which a library might catch and ignore."""

    exit_code = 130
    kind = "cancelled"


#: What the system reports of a full disk or an exhausted quota.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def as_plain(error: BaseException) -> PlainError | None:
    """Return `error` in the form shown to the user, None if this program did not expect it."""
    if isinstance(error, PlainError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            "The computer ran out of memory.", "Crop the image to the spine, or close other programs."
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith(__package__):
        return DependencyError(
            f"The package '{error.name}' is not installed.", "Install it with: pip install 'spinemeasure'."
        )
    return None
