"""NIfTI-1 and NIfTI-2 files, single (.nii, .nii.gz) or in pairs (.hdr, .img), and ANALYZE 7.5, their ancestor."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DimensionError, SpacingError, UnreadableInputError
from ...orientation import directions, from_matvec, shear, voxel_sizes
from ..checks import MAXIMUM_SHEAR, MINIMUM_SLICES
from .header import FROM_SCANNER, RawImage, beside, check_size, check_spacing, undirected, unusual
from .stream import GZIP_START, Stream, padding_bytes, read_voxels

#: By how much (relative) the two statements of voxel size in a header may differ.
_SAME_SIZE = 0.02
#: By how much its two statements of direction may differ: the effect of rounding a quaternion to four digits; and the
#: difference from which an axis is flipped or exchanged.
_SAME_DIRECTION_DEG, _TURNED_OVER_DEG = 3.0, 40.0
_ANALYZE = " It is an ANALYZE 7.5 file: left and right may be swapped, too."
_SCANNER = 1
#: Values of `datatype`; the colours and complex numbers have several values per voxel.
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_SEVERAL = {32: 2, 1792: 2, 2048: 2, 128: 3, 2304: 4}
#: Values of the lower three bits of `xyzt_units`, in mm.
_UNITS = {1: 1000.0, 3: 0.001}


@dataclass(frozen=True)
class _Header:
    """What is needed of a header.

    :ivar kind: ``"n+"`` (voxels follow), ``"ni"`` (voxels in another file), ``""`` (ANALYZE).
    """

    order: str
    kind: str
    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    offset: float
    scale: tuple[float, float]
    units: int
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    qoffset: tuple[float, ...]
    srow: tuple[float, ...]
    size: int

    @property
    def millimetres(self) -> float:
        """Millimetres in the unit of length of the header."""
        return _UNITS.get(self.units & 7, 1.0)

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Voxel sizes as stated, in the header's unit."""
        return np.array(self.pixdim[1:4])

    def forms(self) -> dict[str, NDArray[np.float64]]:
        """By ``sform`` and ``qform``, if its code counts: directions (unit vectors in columns) and first voxel, 3x4."""
        from scipy.spatial.transform import Rotation

        found = {}
        if self.sform_code > 0:
            form = np.reshape(self.srow, (3, 4)).astype(float)
            found["sform"] = np.hstack([directions(form), form[:, 3:]])
        if self.qform_code > 0:
            vector = np.array(self.quaternion, float)
            vector /= max(1.0, float(np.linalg.norm(vector)))
            real = np.sqrt(max(0.0, 1.0 - float(vector @ vector)))
            handedness = -1 if self.pixdim[0] < 0 else 1
            turn = Rotation.from_quat([*vector, real]).as_matrix() * [1, 1, handedness]
            found["qform"] = np.hstack([turn, np.reshape(self.qoffset, (3, 1))])
        return found


def read_nifti(path: Path, as_labels: bool = False) -> RawImage:
    """Read a NIfTI or ANALYZE file.

    :param path: the file, or either one of a pair.
    :param as_labels: see `read_file`.
    :raises UnreadableInputError: not NIfTI, damaged or cut off, or the other file of a pair is missing.
    :raises DimensionError: 2D, 4D, colour or complex.
    :raises SpacingError: voxel sizes are missing, voxel sizes or directions contradict each other.
    :raises TooLargeError: see `check_size`.
    """
    holder = _header_of(path)
    with _opened(holder) as stream:
        header = _read_header(holder, stream)
        size = _check(path, header, 1 if as_labels else MINIMUM_SLICES)
        affine, warnings = _grid(path, header)
        if header.kind == "n+":
            flat = _voxels(holder, stream, header, size, max(int(header.offset), header.size) - header.size)
        else:
            voxels = _pair(path, ".img")
            with _opened(voxels) as other:
                flat = _voxels(voxels, other, header, size, int(header.offset))
    return RawImage(_scaled(flat, header).reshape(size[::-1]).T, affine, warnings)


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    """Compressed or not, by its first bytes: programs write plain files named .nii.gz."""
    with path.open("rb") as file:
        codec = "zlib" if file.read(len(GZIP_START)) == GZIP_START else "raw"
        file.seek(0)
        yield Stream(path, file, codec)


def _header_of(path: Path) -> Path:
    return _pair(path, ".hdr") if path.name.lower().endswith((".img", ".img.gz")) else path


def _pair(path: Path, ending: str) -> Path:
    """Return the file of a pair with this ending, compressed or not."""
    stem = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    stem = stem[: stem.rindex(".")]
    for name in (f"{stem}{ending}", f"{stem}{ending}.gz"):
        try:
            return beside(path, name)
        except UnreadableInputError:
            continue
    raise UnreadableInputError(
        f"{stem}{ending}, the other half of {path.name}, is missing.", "Put both files into one folder."
    )


def _read_header(path: Path, stream: Stream) -> _Header:
    start = stream.read(4)
    known = {348: _first, 540: _second}
    for order in "<>":
        size = struct.unpack(f"{order}i", start)[0] if len(start) == 4 else 0
        if size in known:
            raw = start + stream.read(size - 4)
            if len(raw) == size:
                return known[size](raw, order)
    raise UnreadableInputError(f"{path.name} is not a NIfTI file.", "Copy or export it again.")


def _taker(raw: bytes, order: str) -> Any:
    return lambda kind, at: struct.unpack_from(order + kind, raw, at)


def _first(raw: bytes, order: str) -> _Header:
    """Return a header of 348 bytes: NIfTI-1, or ANALYZE, in which the fields that NIfTI added mean something else."""
    take = _taker(raw, order)
    kind = {b"n+1\0": "n+", b"ni1\0": "ni"}.get(raw[344:348], "")
    qform_code, sform_code = take("2h", 252) if kind else (0, 0)
    return _Header(
        order=order,
        kind=kind,
        dim=take("8h", 40),
        datatype=take("h", 70)[0],
        pixdim=take("8f", 76),
        offset=_number(take("f", 108)[0]),
        scale=take("2f", 112) if kind else (1.0, 0.0),
        units=raw[123] if kind else 0,
        qform_code=qform_code,
        sform_code=sform_code,
        quaternion=take("3f", 256),
        qoffset=take("3f", 268),
        srow=take("12f", 280),
        size=348,
    )


def _second(raw: bytes, order: str) -> _Header:
    """Return a header of 540 bytes: NIfTI-2."""
    take = _taker(raw, order)
    qform_code, sform_code = take("2i", 344)
    return _Header(
        order=order,
        kind="ni" if raw[4:7] == b"ni2" else "n+",
        dim=take("8q", 16),
        datatype=take("h", 12)[0],
        pixdim=take("8d", 104),
        offset=take("q", 168)[0],
        scale=take("2d", 176),
        units=take("i", 500)[0],
        qform_code=qform_code,
        sform_code=sform_code,
        quaternion=take("3d", 352),
        qoffset=take("3d", 376),
        srow=take("12d", 400),
        size=540,
    )


def _number(value: float) -> float:
    return value if np.isfinite(value) and value > 0 else 0.0


def _check(path: Path, header: _Header, fewest_slices: int) -> tuple[int, ...]:
    """Return the voxels along the three axes, if this is an image of grey values of a usable size."""
    if not 1 <= header.dim[0] <= 7:
        raise unusual(path, f"it states {header.dim[0]} dimensions")
    size = [max(1, n) for n in header.dim[1 : header.dim[0] + 1]]
    volumes, vectors = int(np.prod(size[3:4], dtype=float)), int(np.prod(size[4:], dtype=float))
    check_size(path, size[:3], vectors, volumes, fewest_slices)
    if header.datatype in _SEVERAL:
        what = "complex numbers" if header.datatype in (32, 1792, 2048) else "colours"
        raise DimensionError(f"{path.name} contains {what}.", "Use a greyscale (magnitude) image.")
    if header.datatype not in _TYPES:
        raise unusual(path, f"its data type ({header.datatype}) is not supported")
    return tuple(size[:3])


def _voxels(path: Path, stream: Stream, header: _Header, size: tuple[int, ...], skipped: int) -> NDArray[Any]:
    """Return the voxels of the file that contains them; in a NIfTI file nothing follows them."""
    stream.skip(skipped)
    dtype = np.dtype(header.order + _TYPES[header.datatype])
    padding = 0 if header.kind == "n+" else padding_bytes(size, dtype)
    return read_voxels(path, stream, int(np.prod(size)), dtype, padding)


def _scaled(flat: NDArray[Any], header: _Header) -> NDArray[Any]:
    slope, intercept = header.scale
    intercept = intercept if np.isfinite(intercept) else 0.0
    if not np.isfinite(slope) or slope == 0 or (slope, intercept) == (1, 0):
        return flat
    wide = np.float64 if flat.dtype.itemsize > 4 or flat.dtype in (np.int32, np.uint32) else np.float32
    with np.errstate(over="ignore"):  # infinite values are noticed later
        return (flat * np.float64(slope) + intercept).astype(wide)


def _grid(path: Path, header: _Header) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the 4x4 affine to RAS mm, and warnings.

    Slicer and ITK take the sform if it is the scanner's own or the only one, and if it can be a grid of right angles;
    voxel sizes are always those of `pixdim`.
    """
    check_spacing(path, header.sizes.tolist())
    _check_sform_size(path, header)
    forms = header.forms()
    if not forms:
        affine, warning = undirected((header.sizes * header.millimetres).tolist())
        return affine, (warning if header.kind else warning + _ANALYZE,)
    sform_counts = "qform" not in forms or (header.sform_code == _SCANNER and shear(forms["sform"]) <= MAXIMUM_SHEAR)
    chosen = forms["sform" if "sform" in forms and sform_counts else "qform"]
    affine = from_matvec(chosen[:, :3] * header.sizes * header.millimetres, chosen[:, 3] * header.millimetres)
    return affine, _check_directions(path, [form[:, :3] for form in forms.values()], chosen[:, :3])


def _check_sform_size(path: Path, header: _Header) -> None:
    if header.sform_code > 0:
        lengths = voxel_sizes(np.reshape(header.srow, (3, 4)))
        if not np.allclose(lengths, header.sizes, rtol=_SAME_SIZE):
            raise SpacingError(f"{path.name} states two different voxel sizes (pixdim and sform).", "Export it again.")


def _check_directions(path: Path, stated: list[NDArray[np.float64]], chosen: NDArray[np.float64]) -> tuple[str, ...]:
    """Refuse an image if one form of its header flips it and the other does not: no program can know which is right.

    Registration leaves one form slightly rotated: measured values are the same by both, and a warning reports it.
    """
    turned = 0.0
    for one in stated:
        along = (one * chosen).sum(axis=0)
        turned = max(turned, float(np.degrees(np.arccos(np.clip(along, -1, 1))).max()))
    if not turned <= _TURNED_OVER_DEG:
        raise SpacingError(f"{path.name} states two different image orientations (qform and sform).", FROM_SCANNER)
    if turned > _SAME_DIRECTION_DEG:
        return (f"The file states two image orientations, {turned:.0f} degrees apart (qform and sform).",)
    return ()
