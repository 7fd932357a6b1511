"""What may be opened and uploaded."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from SpineMeasureLib.errors import InputNotFoundError, SpineMeasureError, TooLargeError, UnreadableInputError
from SpineMeasureLib.web.places import below, check_image, file_name, image_of, results_of, unpack_study, upload_name


def test_files_below_the_root_open(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    assert below(tmp_path, "case") == (tmp_path / "case").resolve()
    assert below(tmp_path, str(tmp_path / "case")) == (tmp_path / "case").resolve()


@pytest.mark.parametrize("text", ["..", "/etc/passwd", "case/../../x", "link/passwd"])
def test_files_elsewhere_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(SpineMeasureError, match="outside"):
        below(tmp_path, text)


@pytest.mark.parametrize("name", ["x.nii.gz", "X.NII.GZ", "x.Nii", "x.NRRD", "study", "x.mhd"])
def test_an_image_is_found_from_its_results(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert image_of(results_of(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize("text", ["nothing", "a\0b"])
def test_missing_files_are_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputNotFoundError):
        below(tmp_path, text)


def test_names_of_uploads_contain_no_folder() -> None:
    assert upload_name("../../etc/a b.nii.gz") == "a b.nii.gz"
    assert upload_name("C:\\scans\\x.MRB") == "x.MRB"


@pytest.mark.parametrize("name", ["scan[t1]", "[/b] a", "Wirbels\u00e4ule", "\u60a3\u8005 T2", "a#b%20c&d"])
def test_names_of_uploads_stay(name: str) -> None:
    assert upload_name(f"{name}.nii.gz") == f"{name.rpartition('/')[2]}.nii.gz"


def test_names_are_valid_on_every_file_system() -> None:
    assert file_name('a/b\\c:d*e?f"g<h>i|j\n\0.') == "a_b_c_d_e_f_g_h_i_j__"
    assert file_name(" . ") == "_" and file_name("\udcff") == "_"
    assert len(upload_name("\u60a3" * 300 + ".nii.gz").encode()) < 200


def test_images_with_voxels_in_another_file_are_refused(tmp_path: Path) -> None:
    for name, header in (
        ("a.nrrd", b"NRRD0004\nData File: /etc/passwd\n\n"),
        ("a.nrrd", b"NRRD0004\ntype: short\n"),
        ("a.mha", b"ObjectType = Image\nElementDataFile = /etc/passwd\n"),
        ("a.mha", b"ObjectType = Image\nElementDataFile = LIST\n"),
    ):
        (tmp_path / name).write_bytes(header)
        with pytest.raises(UnreadableInputError, match="another file"):
            check_image(tmp_path / name)
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\ntype: short\n\ndata file: x")
    (tmp_path / "a.mha").write_bytes(b"ObjectType = Image\nElementDataFile = LOCAL\n\0\0")
    for name in ("a.nrrd", "a.mha"):
        check_image(tmp_path / name)


@pytest.mark.parametrize("name", ["", "x.py", ".mrb", "x.nii.gz.exe", "x"])
def test_other_kinds_of_upload_are_refused(name: str) -> None:
    with pytest.raises(UnreadableInputError):
        upload_name(name)


DICOM = b"\0" * 128 + b"DICM and what follows"
WITHOUT_PREAMBLE = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100"


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of files; the names are not looked at."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def test_only_the_dicom_files_of_an_archive_are_unpacked(tmp_path: Path) -> None:
    files = {
        "study/1/a.dcm": DICOM,
        "study/2/b": DICOM,
        "study/3/IM1": WITHOUT_PREAMBLE,
        "study/run.exe": b"MZ",
        "scene.mrb": b"PK",
        "study/": b"",
    }
    folder = unpack_study(archive(tmp_path / "knee.zip", files))
    assert folder == tmp_path / "knee"
    assert sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()) == [
        "study/1/a.dcm",
        "study/2/b",
        "study/3/IM1",
    ]
    assert (folder / "study" / "1" / "a.dcm").read_bytes() == DICOM


@pytest.mark.parametrize("name", ["../a.dcm", "/etc/a.dcm", "x/../../a.dcm", "C:\\a.dcm", "..\\a.dcm"])
def test_an_archive_with_paths_outside_is_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(UnreadableInputError, match="outside"):
        unpack_study(archive(inside / "x.zip", {"a.dcm": DICOM, name: DICOM}))
    assert [f.name for f in tmp_path.rglob("*")] == ["inside", "x.zip"]


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.dcm")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(UnreadableInputError, match="links"):
        unpack_study(tmp_path / "x.zip")


def test_an_archive_that_is_too_large_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "x.zip", {"a.dcm": DICOM + b"\0" * 2_000_000})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(TooLargeError):
        unpack_study(bomb, limit=1_000_000)
    with pytest.raises(TooLargeError):
        unpack_study(archive(tmp_path / "many.zip", dict.fromkeys(map(str, range(20_001)), b"")))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["many.zip", "x.zip"]


def test_an_archive_that_understates_its_size_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", {"a.dcm": DICOM + b"\0" * 2_000_000})
    data, real = path.read_bytes(), struct.pack("<I", len(DICOM) + 2_000_000)
    assert data.count(real) == 2
    path.write_bytes(data.replace(real, struct.pack("<I", 500)))
    with pytest.raises(UnreadableInputError):
        unpack_study(path, limit=1_000_000)
    assert sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file()) < 20_000


@pytest.mark.parametrize("damage", ["no zip", "cut off", "flipped", "encrypted", "twice", "no DICOM"])
def test_archives_without_a_study_are_refused(tmp_path: Path, damage: str) -> None:
    path = archive(tmp_path / "x.zip", {"a.dcm": DICOM * 100, "b.txt": b"text"})
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[60] ^= 0xFF
    if damage == "encrypted":
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes({"no zip": b"text", "cut off": bytes(data[:100])}.get(damage, bytes(data)))
    if damage == "twice":
        with zipfile.ZipFile(path, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a.dcm", DICOM)
    if damage == "no DICOM":
        archive(path, {"a.txt": b"text", "empty": b""})
    with pytest.raises(UnreadableInputError):
        unpack_study(path)
