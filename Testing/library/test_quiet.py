"""What libraries print below Python is kept back, and standard error works again afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from SpineMeasureLib.errors import DicomSeriesError
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.quiet import quiet_libraries

from .dicom_slices import write_series


def test_lines_of_libraries_are_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_libraries() as lines:
        os.write(2, b"from C\nagain\n")
        print("from Python", file=sys.stderr, flush=True)
    assert lines[:2] == ["from C", "again"]
    os.write(2, b"after\n")
    assert "from C" not in (shown := capfd.readouterr().err)
    assert "after" in shown


def test_standard_error_works_again_after_an_exception_and_within_another(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with quiet_libraries(), quiet_libraries():
            os.write(2, b"hidden\n")
            raise KeyError

    with pytest.raises(KeyError):
        work()
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_threads_do_not_leave_standard_error_aside(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for _ in range(50):
            with quiet_libraries():
                os.write(2, b"hidden\n")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_a_process_without_standard_error_can_use_it() -> None:
    code = "import os; os.close(2)\nfrom SpineMeasureLib.quiet import quiet_libraries\nwith quiet_libraries(): pass"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def jpeg_series(folder: Path) -> tuple[np.ndarray, list[Path]]:
    """A series in lossless JPEG: its pixels [slice, row, column], and its files."""
    plain, packed = folder / "plain", folder / "packed"
    pixels = write_series(plain)
    packed.mkdir()
    for file in plain.iterdir():
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.KeepOriginalImageUIDOn()
        writer.SetUseCompression(True)
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(packed / file.name))
        writer.Execute(sitk.ReadImage(str(file), imageIO="GDCMImageIO"))
        header, made = dcmread(file), dcmread(packed / file.name)
        for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SeriesInstanceUID"):
            setattr(made, tag, getattr(header, tag))
        made.Modality = "MR"
        made.save_as(packed / file.name)
    return pixels, sorted(packed.iterdir())


def test_damaged_jpeg_in_dicom_is_refused_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pixels, files = jpeg_series(tmp_path)
    assert np.array_equal(read_volume(files[0].parent).array, pixels.transpose(2, 1, 0))
    data = files[2].read_bytes()
    start = data.index(b"\xff\xd8") + 120
    files[2].write_bytes(data[:start] + b"\xff\xd9\x00\x12" * 5 + data[start + 20 :])
    with pytest.raises(DicomSeriesError, match="cannot be decoded"):
        read_volume(files[0].parent)
    assert capfd.readouterr() == ("", "")
