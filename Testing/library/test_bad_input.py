"""Every bad input ends in one sentence, a hint and an exit code of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SpineMeasureLib import errors
from SpineMeasureLib.files import atomic_folder
from SpineMeasureLib.io.checks import check_mri
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.io.write import write_volume
from SpineMeasureLib.pipeline import Job, run
from SpineMeasureLib.volume import Volume

RNG = np.random.default_rng(0)


def save(path: Path, array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0), vector: bool = False) -> Path:
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 900, shape).astype(np.int16)


def header(path: Path, **changes: int | float) -> Path:
    """A NIfTI file with fields of its header changed."""
    import struct

    save(path, noise(8, 8, 8))
    data = bytearray(path.read_bytes())
    if "pixdim" in changes:
        struct.pack_into("<3f", data, 80, *(float(changes["pixdim"]),) * 3)
    if "sform_size" in changes:
        struct.pack_into("<f", data, 280, float(changes["sform_size"]))
    if "dim" in changes:
        struct.pack_into("<3h", data, 42, *(int(changes["dim"]),) * 3)
    if "qform_turn" in changes:
        struct.pack_into("<3f", data, 256, 0.0, float(changes["qform_turn"]), 0.0)
    path.write_bytes(bytes(data))
    return path


def with_nan(path: Path) -> Path:
    array = RNG.normal(size=(8, 8, 8)).astype(np.float32)
    array[2, 2, 2] = np.nan
    return save(path, array)


def text_file(path: Path) -> Path:
    path.write_text("not an image")
    return path


def truncated(path: Path) -> Path:
    save(path, noise(16, 32, 32))
    path.write_bytes(path.read_bytes()[:5000])
    return path


def ct(path: Path) -> Path:
    array = noise(16, 16, 16)
    array[:8] = -1000
    return save(path, array)


CASES: dict[str, tuple[str, Callable[[Path], Path], type[errors.SpineMeasureError]]] = {
    "missing path": ("x.nii", lambda p: p, errors.InputNotFoundError),
    "name in Latin-1": ("M\udcfcller.nii.gz", lambda p: p, errors.UnreadableInputError),
    "not an image": ("x.nii.gz", text_file, errors.UnreadableInputError),
    "unknown ending": ("x.docx", text_file, errors.UnreadableInputError),
    "cut off": ("x.nii", truncated, errors.UnreadableInputError),
    "2D": ("x.nrrd", lambda p: save(p, noise(64, 64), (1.0, 1.0)), errors.DimensionError),
    "one slice": ("x.nii", lambda p: save(p, noise(1, 64, 64)), errors.DimensionError),
    "4D": ("x.nii", lambda p: save_4d(p), errors.DimensionError),
    "colour": ("x.nrrd", lambda p: save(p, noise(8, 8, 8, 3).astype(np.uint8), vector=True), errors.DimensionError),
    "constant": ("x.nii", lambda p: save(p, np.full((8, 8, 8), 7, np.int16)), errors.EmptyVolumeError),
    "NaN": ("x.nii", with_nan, errors.NonFiniteVolumeError),
    "no spacing in NIfTI": ("x.nii", lambda p: header(p, pixdim=0), errors.SpacingError),
    "NaN spacing in NIfTI": ("x.nii", lambda p: header(p, pixdim=float("nan")), errors.SpacingError),
    "two spacings in NIfTI": ("x.nii", lambda p: header(p, sform_size=-3.0), errors.SpacingError),
    "negative spacing in NIfTI": ("x.nii", lambda p: header(p, pixdim=-1), errors.SpacingError),
    "upside down by one form of NIfTI": ("x.nii", lambda p: header(p, qform_turn=1), errors.SpacingError),
    "picture": ("x.png", text_file, errors.DimensionError),
    "coarse slices": ("x.nii", lambda p: save(p, noise(8, 8, 8), (1.0, 1.0, 15.0)), errors.SpacingError),
    "coarse pixels": ("x.nii", lambda p: save(p, noise(8, 8, 8), (4.0, 4.0, 4.0)), errors.SpacingError),
    "CT": ("x.nii", ct, errors.ModalityError),
    "huge": ("x.nii", lambda p: header(p, dim=1200), errors.TooLargeError),
    "empty folder": ("folder", lambda p: p.mkdir() or p, errors.DicomSeriesError),  # type: ignore[func-returns-value]
}


def save_4d(path: Path) -> Path:
    frames = [sitk.GetImageFromArray(noise(8, 8, 8)) for _ in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
    return path


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_one_sentence_with_a_hint(name: str, tmp_path: Path) -> None:
    file, make, kind = CASES[name]
    path = make(tmp_path / file)
    with pytest.raises(kind) as caught:
        check_mri(read_volume(path))
    assert caught.value.message.rstrip(".").count("\n") == 0
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)
    assert str(caught.value).isprintable()


def test_nrrd_without_spacing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    text = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 8 8 8\nendian: little\nencoding: raw\n\n"
    path.write_bytes(text + noise(8, 8, 8).tobytes())
    with pytest.raises(errors.SpacingError, match="does not state its voxel size"):
        read_volume(path)


def test_a_label_map_with_values_that_are_no_numbers_is_refused(sample_folder: Path, tmp_path: Path) -> None:
    labels = sitk.Cast(sitk.ReadImage(str(sample_folder / "lumbar_t2_labels.nii.gz")), sitk.sitkFloat32)
    labels[3, 3, 3] = float("nan")
    sitk.WriteImage(labels, str(tmp_path / "labels.nrrd"))
    job = Job(
        sample_folder / "lumbar_t2.nii.gz", tmp_path / "out", tmp_path / "labels.nrrd", scene=False, picture=False
    )
    with pytest.raises(errors.NonFiniteVolumeError, match="label map"):
        run(job)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["M\udcfcller/image.nii.gz", "out/M\udcfcller.nii.gz"])
def test_nothing_is_written_below_a_name_that_is_not_utf8(name: str, tmp_path: Path) -> None:
    image = Volume(noise(8, 8, 8), np.eye(4))
    with pytest.raises(errors.OutputError, match=r"M\?ller.* contains characters"):
        write_volume(image, tmp_path / name)
    with pytest.raises(errors.OutputError, match=r"M\?ller.* contains characters"), atomic_folder(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.SpineMeasureError)]
    codes = [k.exit_code for k in kinds if "exit_code" in vars(k)]  # a special case of an error has its code
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 for code in codes)
