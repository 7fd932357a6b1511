"""Image files of every format: read as other readers read them, and never read when they are damaged."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineMeasureLib.errors import DimensionError, SpacingError, UnreadableInputError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import from_sitk
from SpineMeasureLib.volume import Volume

from .image_files import (
    COMPRESSED,
    PLAIN,
    image,
    meta_header,
    mha,
    mhd,
    nhdr,
    nifti,
    nrrd,
    nrrd_header,
    packed,
    raw_bytes,
)

nibabel = pytest.importorskip("nibabel")

EVERY = COMPRESSED | PLAIN


def is_same(found: Volume, expected: Volume) -> bool:
    return bool(np.array_equal(found.array, expected.array)) and bool(
        np.allclose(found.affine, expected.affine, rtol=0, atol=1e-4)
    )


@pytest.mark.parametrize("kind", EVERY)
def test_every_format_is_read(kind: str, tmp_path: Path) -> None:
    name, write = EVERY[kind]
    write(tmp_path / name, image())
    found = read_volume(tmp_path / name)
    assert is_same(found, image())
    assert found.meta["warnings"] == []
    assert found.array.dtype == np.int16


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd gzip", "nhdr raw", "mha zlib", "mhd raw"])
def test_every_format_lies_where_itk_reads_it(kind: str, tmp_path: Path) -> None:
    name, write = EVERY[kind]
    write(tmp_path / name, image())
    assert is_same(read_volume(tmp_path / name), from_sitk(sitk.ReadImage(str(tmp_path / name))))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("kind", ["nii.gz", "NIfTI-2 nii", "nrrd gzip", "mha zlib", "mhd raw"])
def test_every_type_of_values_in_either_byte_order(kind: str, code: str, order: str, tmp_path: Path) -> None:
    name, write = EVERY[kind]
    made = image(code)
    stored = Volume(made.array.astype(order + code), made.affine)
    write(tmp_path / name, stored)
    found = read_volume(tmp_path / name)
    assert is_same(found, made)
    assert found.array.dtype == np.dtype(code)
    assert found.array.dtype.isnative


@pytest.mark.parametrize("ending", ["NII", "Nii", "NII.GZ", "nii.GZ", "NRRD", "Mha"])
def test_letter_case_of_an_ending_does_not_count(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write = {"n": nifti, "r": nrrd, "m": mha}[{"nii": "n", "nrr": "r", "mha": "m"}[ending[:3].lower()]]
    write(tmp_path / f"x.{ending.lower()}", image())
    path = (tmp_path / f"x.{ending.lower()}").rename(tmp_path / f"Scan.{ending}")
    assert is_same(read_volume(path), image())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("header", "voxels"), [("X.HDR", "X.IMG"), ("x.hdr", "x.img.gz"), ("x.Hdr.gz", "x.Img.gz")])
@pytest.mark.parametrize("version", [1, 2])
def test_either_file_of_a_pair_may_be_named(header: str, voxels: str, version: int, tmp_path: Path) -> None:
    nifti(tmp_path / "made.img", image(), version)
    for source, target in (("made.hdr", header), ("made.img", voxels)):
        data = (tmp_path / source).read_bytes()
        (tmp_path / target).write_bytes(gzip.compress(data) if target.lower().endswith("gz") else data)
        (tmp_path / source).unlink()
    assert is_same(read_volume(tmp_path / header), image())
    assert is_same(read_volume(tmp_path / voxels), image())


def places(size: int) -> list[int]:
    """Bytes to damage: in the middle, towards the end, in the checksum."""
    return [size // 2, size * 4 // 5, size - 6, size - 2]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_flipped_bit_in_a_compressed_file_is_noticed(kind: str, place: int, tmp_path: Path) -> None:
    name, write = COMPRESSED[kind]
    path = write(tmp_path / name, image(shape=(9, 60, 70)))
    data = bytearray(path.read_bytes())
    data[places(len(data))[place]] ^= 0x10
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableInputError, match="damaged or truncated"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("left", [0.3, 0.9, -9, -4, -1])
@pytest.mark.parametrize("kind", EVERY)
def test_a_truncated_file_is_noticed(kind: str, left: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name, write = EVERY[kind]
    path = write(tmp_path / name, image(shape=(9, 60, 70)))
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data)) if left > 0 else int(left)])
    with pytest.raises(UnreadableInputError, match="damaged or truncated"):
        read_volume(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", COMPRESSED)
def test_what_was_appended_to_a_compressed_file_is_ignored(kind: str, tmp_path: Path) -> None:
    name, write = COMPRESSED[kind]
    path = write(tmp_path / name, image())
    whole = path.read_bytes()
    for appended in (b"\0" * 600, b"garbage" * 50):
        path.write_bytes(whole + appended)
        assert is_same(read_volume(tmp_path / name), image())


def test_concatenated_members_are_one_stream_and_all_are_checked(tmp_path: Path) -> None:
    nifti(tmp_path / "x.nii", image())
    data = (tmp_path / "x.nii").read_bytes()
    members = [gzip.compress(part) for part in (data[:200], data[200:3000], data[3000:])]
    (tmp_path / "x.nii.gz").write_bytes(b"".join(members))
    assert is_same(read_volume(tmp_path / "x.nii.gz"), image())
    for n in range(3):
        broken = bytearray(members[n])
        broken[-7] ^= 1
        (tmp_path / "x.nii.gz").write_bytes(b"".join([*members[:n], bytes(broken), *members[n + 1 :]]))
        with pytest.raises(UnreadableInputError, match="damaged"):
            read_volume(tmp_path / "x.nii.gz")
    (tmp_path / "x.nii.gz").write_bytes(members[0] + members[1])
    with pytest.raises(UnreadableInputError, match="damaged"):
        read_volume(tmp_path / "x.nii.gz")


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd gzip", "mha zlib", "mhd raw"])
def test_a_file_with_another_volume_behind_the_first_is_refused(kind: str, tmp_path: Path) -> None:
    name, write = EVERY[kind]
    made = image(shape=(9, 60, 70))
    write(tmp_path / name, Volume(np.concatenate([made.array, made.array], axis=2), made.affine))
    for file in tmp_path.iterdir():
        for text, shorter in ((b" 140", b"  70"),):
            file.write_bytes(file.read_bytes().replace(text, shorter, 1))
    if name.startswith("x.nii"):
        data = bytearray((gzip.decompress if name.endswith("gz") else bytes)((tmp_path / name).read_bytes()))
        data[46:48] = (70).to_bytes(2, "little")
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else bytes(data))
    with pytest.raises(UnreadableInputError, match="more data than its header describes"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize(("size", "axis"), [(8, 0), (59, 1), (69, 2)])
@pytest.mark.parametrize("kind", EVERY)
def test_a_size_that_is_too_small_by_one_is_noticed(kind: str, size: int, axis: int, tmp_path: Path) -> None:
    """Its voxels would be those of a sheared image."""
    name, write = EVERY[kind]
    shape = (9, 60, 70)
    write(tmp_path / name, image(shape=shape))
    wrong = [size if n == axis else length for n, length in enumerate(shape)]
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        packs = data.startswith(b"\x1f\x8b") and file.name.endswith(".gz")
        plain = gzip.decompress(data) if packs else data
        for text in (b"sizes: %d %d %d\n", b"DimSize = %d %d %d\n"):
            plain = plain.replace(text % shape, text % tuple(wrong), 1)
        dim = {348: (42, 2), 540: (24, 8)}.get(int.from_bytes(plain[:4], "little"))
        if dim:
            stored = bytearray(plain)
            stored[dim[0] + axis * dim[1] : dim[0] + (axis + 1) * dim[1]] = size.to_bytes(dim[1], "little")
            plain = bytes(stored)
        file.write_bytes(gzip.compress(plain) if packs else plain)
    with pytest.raises(UnreadableInputError, match="more data than its header describes"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("kind", ["nrrd raw", "nhdr raw", "mha raw", "mhd raw", "nii"])
def test_the_last_block_of_raw_voxels_may_be_filled_up_but_not_that_of_nifti(kind: str, tmp_path: Path) -> None:
    name, write = EVERY[kind]
    path = write(tmp_path / name, image(shape=(9, 60, 70)))
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(512))
    if kind == "nii":
        with pytest.raises(UnreadableInputError, match="more data"):
            read_volume(tmp_path / name)
    else:
        assert is_same(read_volume(tmp_path / name), image(shape=(9, 60, 70)))
    path.write_bytes(whole + bytes(1 << 12))
    with pytest.raises(UnreadableInputError, match="more data"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize(("header", "write"), [("x.nhdr", nhdr), ("x.mhd", mhd), ("x.hdr", nifti)])
def test_a_missing_file_of_voxels_is_named(
    header: str, write: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / header, image())  # type: ignore[operator]
    for file in tmp_path.iterdir():
        if file.name != header:
            file.unlink()
    with pytest.raises(UnreadableInputError, match=r"x\.(data|zraw|img).* is missing"):
        read_volume(tmp_path / header)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.raw", "a/../../x.raw", "C:\\x.raw", "\\\\host\\x.raw"])
def test_a_header_cannot_name_files_elsewhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.mhd").write_bytes(meta_header(image(), name))
    (tmp_path / "x.nhdr").write_bytes(nrrd_header(image(), "raw", f"data file: {name}"))
    for header in ("x.mhd", "x.nhdr"):
        with pytest.raises(UnreadableInputError, match="outside its own folder"):
            read_volume(tmp_path / header)


def test_names_written_on_a_system_without_letter_case_are_found(tmp_path: Path) -> None:
    mhd(tmp_path / "x.mhd", image()).rename(tmp_path / "X.ZRAW")
    assert is_same(read_volume(tmp_path / "x.mhd"), image())


def test_voxels_in_one_file_for_each_slice(tmp_path: Path) -> None:
    made = image()
    for k in range(made.array.shape[2]):
        (tmp_path / f"s{k:03d}.raw").write_bytes(made.array[:, :, k].tobytes(order="F"))
    last = made.array.shape[2] - 1
    names = "\n".join(f"s{k:03d}.raw" for k in range(last + 1))
    (tmp_path / "a.nhdr").write_bytes(nrrd_header(made, "raw", f"data file: s%03d.raw 0 {last} 1"))
    (tmp_path / "b.nhdr").write_bytes(nrrd_header(made, "raw", "data file: LIST", *names.split()))
    (tmp_path / "c.mhd").write_bytes(meta_header(made, f"s%03d.raw 0 {last} 1"))
    (tmp_path / "d.mhd").write_bytes(meta_header(made, "LIST") + names.encode())
    for name in ("a.nhdr", "b.nhdr", "c.mhd", "d.mhd"):
        assert is_same(read_volume(tmp_path / name), made), name


def test_skipped_lines_and_bytes_and_voxels_at_the_end(tmp_path: Path) -> None:
    made = image()
    (tmp_path / "x.raw").write_bytes(b"first\nsecond\n1234" + raw_bytes(made))
    (tmp_path / "a.nhdr").write_bytes(nrrd_header(made, "raw", "data file: x.raw", "line skip: 2", "byte skip: 4"))
    (tmp_path / "b.nhdr").write_bytes(nrrd_header(made, "raw", "datafile: x.raw", "byteskip: -1"))
    (tmp_path / "c.mhd").write_bytes(meta_header(made, "x.raw", "HeaderSize = -1"))
    (tmp_path / "d.mhd").write_bytes(meta_header(made, "x.raw", "HeaderSize = 17"))
    (tmp_path / "y.gz").write_bytes(packed(b"1234" + raw_bytes(made), "gzip"))
    (tmp_path / "e.nhdr").write_bytes(nrrd_header(made, "gzip", "data file: y.gz", "byte skip: 4"))
    for name in ("a.nhdr", "b.nhdr", "c.mhd", "d.mhd", "e.nhdr"):
        assert is_same(read_volume(tmp_path / name), made), name


def test_numbers_in_words(tmp_path: Path) -> None:
    made = image()
    text = " ".join(map(str, made.array.ravel(order="F"))).encode()
    (tmp_path / "x.nrrd").write_bytes(nrrd_header(made, "ascii") + b"\n" + text)
    (tmp_path / "x.mha").write_bytes(meta_header(made, "LOCAL").replace(b"Data = True", b"Data = False") + text)
    for name in ("x.nrrd", "x.mha"):
        assert is_same(read_volume(tmp_path / name), made)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole + b" 7")
        with pytest.raises(UnreadableInputError, match="more data"):
            read_volume(tmp_path / name)
        (tmp_path / name).write_bytes(whole[:-50])
        with pytest.raises(UnreadableInputError, match="damaged"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("space", ["right-anterior-superior", "RAS", "left-anterior-superior", "LPS"])
def test_spaces_of_nrrd(space: str, tmp_path: Path) -> None:
    flip = {"r": [1, 1, 1], "l": [-1, 1, 1]}[space[0].lower()]
    if space.lower() in ("lps", "left-posterior-superior"):
        flip = [-1, -1, 1]
    made = image()
    written = Volume(made.array, np.diag([-1.0, -1, 1, 1]) @ np.diag([*flip, 1.0]) @ made.affine)
    path = tmp_path / "x.nrrd"
    path.write_bytes(nrrd_header(written, "raw", space=space) + b"\n" + raw_bytes(made))
    found = read_volume(path)
    assert is_same(found, made)
    assert found.meta["warnings"] == []


UNDIRECTED = {
    "NIfTI": ("x.nii", lambda p, v: nifti(p, v, 1, (0, 0))),
    "NIfTI-2": ("x.nii.gz", lambda p, v: nifti(p, v, 2, (0, 0))),
    "NRRD": ("x.nrrd", lambda p, v: p.write_bytes(
        nrrd_header(v, "raw", "spacings: 3.5 0.75 0.5", space="") + b"\n" + raw_bytes(v))),
    "NRRD with kinds": ("x.nrrd", lambda p, v: p.write_bytes(
        nrrd_header(v, "raw", "spacings: 3.5 0.75 0.5", "kinds: domain domain domain", space="") + b"\n"
        + raw_bytes(v))),
    "NRRD in scanner space": ("x.nrrd", lambda p, v: p.write_bytes(
        nrrd_header(v, "raw", space="scanner-xyz") + b"\n" + raw_bytes(v))),
    "NRRD with a dimension of space": ("x.nrrd", lambda p, v: p.write_bytes(
        nrrd_header(v, "raw", space="x").replace(b"space: x", b"space dimension: 3") + b"\n" + raw_bytes(v))),
    "MetaImage": ("x.mha", lambda p, v: p.write_bytes(meta_header(v, "LOCAL", directions=False) + raw_bytes(v))),
    "MetaImage with a code": ("x.mha", lambda p, v: p.write_bytes(
        meta_header(v, "LOCAL", "AnatomicalOrientation = ???", directions=False) + raw_bytes(v))),
    "MetaImage with directions of a program that was given none": ("x.mha", lambda p, v: p.write_bytes(
        meta_header(Volume(v.array, np.diag([-3.5, -0.75, 0.5, 1])), "LOCAL", "AnatomicalOrientation = ???")
        + raw_bytes(v))),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNDIRECTED)
def test_missing_directions_are_warned_of_in_any_format(kind: str, tmp_path: Path) -> None:
    name, write = UNDIRECTED[kind]
    write(tmp_path / name, image())  # type: ignore[no-untyped-call]
    found = read_volume(tmp_path / name)
    assert any("does not state the image orientation" in str(w) for w in found.meta["warnings"])  # type: ignore
    assert np.array_equal(found.array, image().array)


@pytest.mark.parametrize(
    ("affine", "code"),
    [
        (np.diag([-3.5, -0.75, 0.5, 1]), "RAI"),
        (np.diag([3.5, -0.75, 0.5, 1]), "???"),
        (np.diag([-3.5, -0.75, 0.5, 1]) + np.outer([0, 0, 1, 0], [0, 0, 0, 5.0]), "???"),
    ],
    ids=["code", "direction", "place"],
)
def test_directions_that_were_stated_are_not_warned_of(affine: np.ndarray, code: str, tmp_path: Path) -> None:
    made = Volume(image().array, affine)
    header = meta_header(made, "LOCAL", f"AnatomicalOrientation = {code}")
    (tmp_path / "x.mha").write_bytes(header + raw_bytes(made))
    found = read_volume(tmp_path / "x.mha")
    assert found.meta["warnings"] == []
    assert is_same(found, made)


def test_slices_stored_one_after_the_other_without_directions_are_taken_for_sagittal_ones(tmp_path: Path) -> None:
    made = image()
    scanner = Volume(made.array.transpose(1, 2, 0), np.diag([0.75, 0.5, 3.5, 1]))
    nifti(tmp_path / "x.nii", scanner, 1, (0, 0))
    (tmp_path / "x.mha").write_bytes(meta_header(scanner, "LOCAL", directions=False) + raw_bytes(scanner))
    for name in ("x.nii", "x.mha"):
        found = read_volume(tmp_path / name)
        assert "assumed to be sagittal" in str(found.meta["warnings"])
        # columns of the array's axes: to the back, down, to the left (or right: that cannot be known)
        np.testing.assert_allclose(found.affine[:3, :3], [[0, 0, -3.5], [-0.75, 0, 0], [0, -0.5, 0]], atol=1e-6)


def analyze(path: Path, volume: Volume) -> Path:
    nibabel.AnalyzeImage(volume.array, volume.affine).to_filename(path)
    return path


def test_analyze_is_read_with_a_warning_of_its_own(tmp_path: Path) -> None:
    analyze(tmp_path / "x.img", image())
    for name in ("x.hdr", "x.img"):
        found = read_volume(tmp_path / name)
        assert np.array_equal(found.array, image().array)
        assert found.spacing == pytest.approx((3.5, 0.75, 0.5))
        assert "ANALYZE 7.5" in str(found.meta["warnings"])


def sheared(by: float) -> Volume:
    """The image on a grid whose second axis leans by this cosine towards its first."""
    made = image()
    affine = made.affine.copy()
    directions = affine[:3, :3] / [3.5, 0.75, 0.5]
    lean = directions[:, 1] + by * directions[:, 0]
    affine[:3, 1] = 0.75 * lean / np.linalg.norm(lean)
    return Volume(made.array, affine)


SHEARED = {
    "NIfTI": ("x.nii", lambda p, v: nifti(p, v, 1, (0, 1))),
    "NIfTI-2": ("x.nii.gz", lambda p, v: nifti(p, v, 2, (0, 2))),
    "NRRD": ("x.nrrd", nrrd),
    "MetaImage": ("x.mha", mha),
}


@pytest.mark.parametrize("kind", SHEARED)
@pytest.mark.parametrize("by", [1e-5, 1e-3, 9e-3, 1.1e-2, 0.1, 0.6])
def test_one_shear_tolerance_for_every_format(kind: str, by: float, tmp_path: Path) -> None:
    name, write = SHEARED[kind]
    made = sheared(by)
    write(tmp_path / name, made)
    if by > 0.01:
        with pytest.raises(SpacingError, match="not at right angles"):
            read_volume(tmp_path / name)
        return
    found = read_volume(tmp_path / name)
    assert np.array_equal(found.array, made.array)
    assert found.spacing == pytest.approx((3.5, 0.75, 0.5), abs=1e-4)
    directions = found.affine[:3, :3] / found.spacing
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.affine[:3, :3], made.affine[:3, :3], atol=3.5 * by + 1e-4)


def test_a_sheared_sform_of_nifti_gives_way_to_a_qform(tmp_path: Path) -> None:
    made = nibabel.Nifti1Image(image().array, image().affine)
    made.set_sform(sheared(0.05).affine, 1)
    made.set_qform(image().affine, 1)
    nibabel.save(made, tmp_path / "x.nii")
    assert is_same(read_volume(tmp_path / "x.nii"), image())


@pytest.mark.parametrize(("slope", "intercept"), [(2.0, 5.0), (0.5, -3.0), (1.0, 7.0), (float("nan"), 3), (0, 9)])
def test_scaling_of_nifti(slope: float, intercept: float, tmp_path: Path) -> None:
    path = nifti(tmp_path / "x.nii", image())
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(bytes(data))
    stated = slope == slope and slope != 0
    expected = image().array * slope + intercept if stated else image().array
    np.testing.assert_allclose(read_volume(path).array, expected)


def test_extensions_of_nifti_are_passed_over(tmp_path: Path) -> None:
    for version, kind in ((1, nibabel.Nifti1Image), (2, nibabel.Nifti2Image)):
        made = kind(image().array, image().affine)
        made.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"x" * 3_000_000))
        path = tmp_path / f"{version}.nii.gz"
        nibabel.save(made, path)
        assert is_same(read_volume(path), image())


@pytest.mark.parametrize("shape", [(9, 24, 31, 1), (9, 24, 31, 1, 1)])
def test_further_dimensions_of_one_are_dropped(shape: tuple[int, ...], tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(image().array.reshape(shape), image().affine), tmp_path / "x.nii")
    assert is_same(read_volume(tmp_path / "x.nii"), image())


@pytest.mark.parametrize(
    ("sizes", "more"),
    [
        ("1 9 24 31", ["space directions: none (3.5,0,0) (0,0.75,0) (0,0,0.5)", "kinds: list domain domain domain"]),
        ("9 24 31 1", ["space directions: (3.5,0,0) (0,0.75,0) (0,0,0.5) none"]),
        ("1 9 24 31", ["spacings: nan 3.5 0.75 0.5", "kinds: vector domain domain domain"]),
        ("1 9 24 31", ["spacings: nan 3.5 0.75 0.5"]),
        ("9 24 31 1", ["spacings: 3.5 0.75 0.5 nan"]),
    ],
)
def test_an_axis_of_one_value_in_nrrd_is_dropped(sizes: str, more: list[str], tmp_path: Path) -> None:
    lines = ["NRRD0005", "type: short", "dimension: 4", f"sizes: {sizes}", "endian: little", "encoding: raw", *more]
    (tmp_path / "x.nrrd").write_bytes("\n".join([*lines, "", ""]).encode() + raw_bytes(image()))
    found = read_volume(tmp_path / "x.nrrd")
    assert np.array_equal(found.array, image().array)
    assert found.spacing == pytest.approx((3.5, 0.75, 0.5))


def several_values(tmp_path: Path) -> list[Path]:
    """Colour, complex, vectors and several volumes, in each format that can hold them."""
    rng = np.random.default_rng(0)
    colour = np.zeros((9, 24, 31), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    made = {
        "rgb.nii": colour,
        "complex.nii": (rng.normal(size=(9, 24, 31)) + 1j).astype(np.complex64),
        "volumes.nii": np.zeros((9, 24, 31, 2), np.int16),
        "vectors.nii": np.zeros((9, 24, 31, 1, 3), np.int16),
    }
    for name, array in made.items():
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / name)
    vector = sitk.GetImageFromArray(rng.integers(0, 9, (31, 24, 9, 3)).astype(np.uint8), isVector=True)
    volumes = sitk.JoinSeries([sitk.GetImageFromArray(image().array)] * 2)
    for ending in ("nrrd", "mha", "nhdr"):
        sitk.WriteImage(vector, str(tmp_path / f"vectors.{ending}"))
        sitk.WriteImage(volumes, str(tmp_path / f"volumes.{ending}"))
    return [p for p in sorted(tmp_path.iterdir()) if p.suffix != ".raw"]


def test_several_values_per_voxel_and_several_volumes_are_refused(tmp_path: Path) -> None:
    paths = several_values(tmp_path)
    assert len(paths) == 10
    for path in paths:
        with pytest.raises(DimensionError):
            read_volume(path)


@pytest.mark.filterwarnings("error")
def test_damaged_headers_end_in_a_sentence(tmp_path: Path) -> None:
    """Any bytes of a header may be wrong: nothing but a sentence may come of it."""
    from SpineMeasureLib.errors import SpineMeasureError

    rng = np.random.default_rng(1)
    made = [write(tmp_path / f"{n}{Path(name).suffix}", image()) for n, (name, write) in enumerate(PLAIN.values())]
    made = [path for path in made if path.suffix in (".nii", ".nrrd", ".mha")]
    messages = []
    for path, n in itertools.product(made, range(300)):
        data = bytearray(path.read_bytes())
        for at in rng.integers(0, 348, 1 + n % 4):
            data[at] = rng.integers(0, 256)
        broken = path.with_name(f"broken{path.suffix}")
        broken.write_bytes(bytes(data))
        try:
            read_volume(broken)
        except SpineMeasureError as error:
            messages.append(error.message)
    assert len(messages) > 100
    assert all(message.endswith(".") for message in messages)


def test_a_file_that_may_not_be_read_ends_in_a_sentence(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = nifti(tmp_path / "x.nii", image())
    path.chmod(0)
    with pytest.raises(UnreadableInputError, match="permission denied"):
        read_volume(path)


def test_voxels_without_their_header_are_refused_with_a_hint(tmp_path: Path) -> None:
    data = mhd(tmp_path / "x.mhd", image())
    with pytest.raises(UnreadableInputError, match="without a header"):
        read_volume(data)


@pytest.mark.parametrize("line", ["line skip: 99999999999", "sizes: 9 24 1e3", "byte skip: x", "data file: %s%d 1 9"])
def test_odd_fields_of_nrrd_end_in_a_sentence(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.nhdr").write_bytes(nrrd_header(image(), "raw", "data file: x.raw", line))
    (tmp_path / "x.raw").write_bytes(raw_bytes(image()))
    with pytest.raises(UnreadableInputError):
        read_volume(tmp_path / "x.nhdr")


@pytest.mark.parametrize("line", ["DimSize = nan 1 2", "ElementNumberOfChannels = inf", "Offset = a b c"])
def test_odd_fields_of_metaimage_end_in_a_sentence(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.mha").write_bytes(meta_header(image(), "LOCAL", line) + raw_bytes(image()))
    with pytest.raises(UnreadableInputError):
        read_volume(tmp_path / "x.mha")


@pytest.mark.real_data
def test_real_slabs_are_read_as_other_readers_read_them_from_every_format(data_folder: Path, tmp_path: Path) -> None:
    path = sorted((data_folder / "lumbar_t2_space").glob("*_image.nii.gz"))[1]
    shutil.copy(path, tmp_path / "x.nii.gz")
    other = nibabel.load(path)
    array = np.asarray(other.dataobj)
    for ending in ("nrrd", "nhdr", "mha", "mhd", "nii", "hdr"):
        sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / f"y.{ending}"), useCompression=ending != "hdr")
        found = read_volume(tmp_path / f"y.{ending}")
        assert np.array_equal(found.array, array), ending
        np.testing.assert_allclose(found.affine, other.affine, atol=1e-3)
