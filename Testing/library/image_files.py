"""Image files of every format by code: the same voxels, however they are stored."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from SpineMeasureLib.volume import Volume

SHAPE = (9, 24, 31)


def image(dtype: str = "i2", shape: tuple[int, int, int] = SHAPE) -> Volume:
    """Smooth and noisy values on a tilted grid of sagittal slices; compressible, but not trivially."""
    rng = np.random.default_rng(4)
    values = np.add.outer(np.add.outer(np.arange(shape[0]) * 10, np.arange(shape[1]) * 3), np.arange(shape[2]) * 2)
    values = values + rng.integers(0, 30, shape)
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [11, -5, 7], degrees=True).as_matrix()
    affine[:3, :3] = turn * [3.5, 0.75, 0.5]
    affine[:3, 3] = [-14.25, 33.5, -60.0]
    return Volume((values % 120 if dtype in ("i1", "u1") else values).astype(dtype), affine)


def _lps(affine: np.ndarray) -> np.ndarray:
    return np.diag([-1.0, -1, 1, 1]) @ affine


def raw_bytes(volume: Volume) -> bytes:
    """Voxels, first axis fastest."""
    return volume.array.tobytes(order="F")


def packed(data: bytes, encoding: str) -> bytes:
    """Data as NRRD's encodings and MetaImage's compression store it."""
    return {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "zlib": zlib.compress}[encoding](data)


_NRRD_TYPES = {"i1": "int8", "u1": "uchar", "i2": "short", "u2": "uint16", "i4": "int", "u4": "unsigned int",
               "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double"}  # fmt: skip


def nrrd_header(volume: Volume, encoding: str, *more: str, space: str = "left-posterior-superior") -> bytes:
    """A header without the empty line at its end; without directions if `space` is empty."""
    lps = _lps(volume.affine)
    code = np.dtype(volume.array.dtype).str
    lines = ["NRRD0005", "# made by a test", f"type: {_NRRD_TYPES[code[1:]]}", "dimension: 3",
             f"sizes: {' '.join(map(str, volume.array.shape))}", f"encoding: {encoding}",
             f"endian: {'big' if code[0] == '>' else 'little'}"]  # fmt: skip
    if space:
        axes = " ".join(f"({','.join(repr(float(x)) for x in lps[:3, n])})" for n in range(3))
        lines += [f"space: {space}", f"space directions: {axes}"]
        lines += [f"space origin: ({','.join(repr(float(x)) for x in lps[:3, 3])})"]
    return "\n".join([*lines, *more, ""]).encode()


def nrrd(path: Path, volume: Volume, encoding: str = "gzip") -> Path:
    """An attached NRRD file."""
    path.write_bytes(nrrd_header(volume, encoding) + b"\n" + packed(raw_bytes(volume), encoding))
    return path


def nhdr(path: Path, volume: Volume, encoding: str = "gzip") -> Path:
    """A detached header; returns the file of voxels beside it."""
    data = path.with_name(f"{path.stem}.data")
    path.write_bytes(nrrd_header(volume, encoding, f"data file: {data.name}"))
    data.write_bytes(packed(raw_bytes(volume), encoding))
    return data


_META_TYPES = {"i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT",
               "u4": "MET_UINT", "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG", "f4": "MET_FLOAT",
               "f8": "MET_DOUBLE"}  # fmt: skip


def meta_header(volume: Volume, data_file: str, *more: str, directions: bool = True) -> bytes:
    """A MetaImage header."""
    lps = _lps(volume.affine)
    axes = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
    code = np.dtype(volume.array.dtype).str

    def row(values: np.ndarray) -> str:
        return " ".join(repr(float(x)) for x in values)

    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True",
             f"BinaryDataByteOrderMSB = {code[0] == '>'}", f"Offset = {row(lps[:3, 3])}"]  # fmt: skip
    if directions:
        lines += [f"TransformMatrix = {row(axes.T.ravel())}"]
    lines += [f"ElementSpacing = {row(np.linalg.norm(lps[:3, :3], axis=0))}",
              f"DimSize = {' '.join(map(str, volume.array.shape))}",
              f"ElementType = {_META_TYPES[code[1:]]}", *more, f"ElementDataFile = {data_file}", ""]  # fmt: skip
    return "\n".join(lines).encode()


def mha(path: Path, volume: Volume, compressed: bool = True) -> Path:
    """A MetaImage file with its voxels."""
    data = packed(raw_bytes(volume), "zlib" if compressed else "raw")
    size = [f"CompressedDataSize = {len(data)}"] if compressed else []
    path.write_bytes(meta_header(volume, "LOCAL", f"CompressedData = {compressed}", *size) + data)
    return path


def mhd(path: Path, volume: Volume, compressed: bool = True) -> Path:
    """A MetaImage header; returns the file of voxels beside it."""
    data = path.with_suffix(".zraw" if compressed else ".raw")
    path.write_bytes(meta_header(volume, data.name, f"CompressedData = {compressed}"))
    data.write_bytes(packed(raw_bytes(volume), "zlib" if compressed else "raw"))
    return data


def nifti(path: Path, volume: Volume, version: int = 1, codes: tuple[int, int] = (1, 1)) -> Path:
    """A NIfTI file or pair, by the ending of `path`; `codes` of qform and sform."""
    import nibabel

    single = not path.name.lower().removesuffix(".gz").endswith((".hdr", ".img"))
    kinds = {(1, True): nibabel.Nifti1Image, (1, False): nibabel.Nifti1Pair,
             (2, True): nibabel.Nifti2Image, (2, False): nibabel.Nifti2Pair}  # fmt: skip
    made = kinds[version, single](volume.array, volume.affine, dtype=volume.array.dtype)
    made.set_qform(volume.affine, codes[0])
    made.set_sform(volume.affine, codes[1])
    nibabel.save(made, path)
    return path


#: How to write an image that is compressed: file name, and what writes it and returns the compressed file.
COMPRESSED: dict[str, tuple[str, Callable[[Path, Volume], Path]]] = {
    "nii.gz": ("x.nii.gz", nifti),
    "NIfTI-2 nii.gz": ("x.nii.gz", lambda p, v: nifti(p, v, 2)),
    "img.gz": ("x.img.gz", nifti),
    "nrrd gzip": ("x.nrrd", nrrd),
    "nrrd bzip2": ("x.nrrd", lambda p, v: nrrd(p, v, "bzip2")),
    "nhdr gzip": ("x.nhdr", nhdr),
    "nhdr bzip2": ("x.nhdr", lambda p, v: nhdr(p, v, "bzip2")),
    "mha zlib": ("x.mha", mha),
    "mhd zraw": ("x.mhd", mhd),
}
#: The same of images that are not.
PLAIN: dict[str, tuple[str, Callable[[Path, Volume], Path]]] = {
    "nii": ("x.nii", nifti),
    "NIfTI-2 nii": ("x.nii", lambda p, v: nifti(p, v, 2)),
    "img": ("x.img", nifti),
    "NIfTI-2 img": ("x.img", lambda p, v: nifti(p, v, 2)),
    "nrrd raw": ("x.nrrd", lambda p, v: nrrd(p, v, "raw")),
    "nhdr raw": ("x.nhdr", lambda p, v: nhdr(p, v, "raw")),
    "mha raw": ("x.mha", lambda p, v: mha(p, v, False)),
    "mhd raw": ("x.mhd", lambda p, v: mhd(p, v, False)),
}
