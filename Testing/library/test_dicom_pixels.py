"""Pixels in compressed transfer syntaxes: decoded without a word, or refused by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.errors import DicomSeriesError
from SpineMeasureLib.io.read import read_volume

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import UID  # noqa: E402

from .dicom_slices import write_series  # noqa: E402


def twelve_bits(ds: Dataset, n: int) -> None:
    ds.BitsStored, ds.HighBit = 12, 11


@pytest.mark.parametrize("option", ["+ee", "+es", "+ep"], ids=["extended", "spectral", "progressive"])
@pytest.mark.skipif(not shutil.which("dcmcjpeg"), reason="no DCMTK: apt-get install dcmtk")
def test_twelve_bit_jpeg_is_decoded_and_the_codec_says_nothing(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = write_series(tmp_path / "plain", change=twelve_bits)
    (tmp_path / "packed").mkdir()
    for file in (tmp_path / "plain").iterdir():
        subprocess.run(["dcmcjpeg", option, file, tmp_path / "packed" / file.name], check=True, capture_output=True)
    volume = read_volume(tmp_path / "packed")
    np.testing.assert_allclose(volume.array, pixels.transpose(2, 1, 0), atol=60)  # lossy
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4"),
        ("1.3.46.670589.33.1.4.1", "1.3.46.670589.33.1.4.1"),
    ],
)
def test_a_syntax_that_cannot_be_decoded_is_named(
    syntax: str, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_series(tmp_path)
    for file in tmp_path.iterdir():
        ds = pydicom.dcmread(file)
        ds.PixelData = encapsulate([ds.PixelData[:100]])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        pydicom.dcmwrite(file, ds, implicit_vr=False, little_endian=True)
    with pytest.raises(DicomSeriesError, match=f"transfer syntax {name}.*gdcmconv --raw"):
        read_volume(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_plain_pixels_are_read_whatever_their_syntax_is_called(tmp_path: Path) -> None:
    """As where a program that removes identities hashed that UID too."""
    pixels = write_series(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.999.10008.7.2.5\0"))
    assert np.array_equal(read_volume(tmp_path).array, pixels.transpose(2, 1, 0))
