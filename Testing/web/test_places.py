"""What may be opened and uploaded."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

import pytest

from SpineMeasureLib.errors import InputNotFoundError, SpineMeasureError, TooLargeError, UnreadableInputError
from SpineMeasureLib.web.places import below, check_bundle, upload_name


def bundle(path: Path, text: str, name: str = "scene/scene.mrml") -> Path:
    """A scene bundle with one scene file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


def test_files_below_the_root_open(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    assert below(tmp_path, "case") == (tmp_path / "case").resolve()
    assert below(tmp_path, str(tmp_path / "case")) == (tmp_path / "case").resolve()


@pytest.mark.parametrize("text", ["..", "/etc/passwd", "case/../../x", "link/passwd"])
def test_files_elsewhere_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(SpineMeasureError, match="outside"):
        below(tmp_path, text)


@pytest.mark.parametrize("text", ["nothing", "a\0b"])
def test_what_is_not_there_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputNotFoundError):
        below(tmp_path, text)


def test_names_of_uploads_hold_no_folder() -> None:
    assert upload_name("../../etc/a b.nii.gz") == "a_b.nii.gz"
    assert upload_name("C:\\scans\\x.MRB") == "x.MRB"


@pytest.mark.parametrize("name", ["", "x.py", ".mrb", "x.nii.gz.exe", "x"])
def test_other_kinds_of_upload_are_refused(name: str) -> None:
    with pytest.raises(UnreadableInputError):
        upload_name(name)


def test_a_bundle_with_its_own_files_is_taken(tmp_path: Path) -> None:
    check_bundle(bundle(tmp_path / "a.mrb", '<MRML><VolumeArchetypeStorage fileName="Data/x.nrrd" uri=""/></MRML>'))


@pytest.mark.parametrize(
    "text",
    [
        '<MRML><VolumeArchetypeStorage fileName="/etc/passwd"/></MRML>',
        '<MRML><VolumeArchetypeStorage fileName="../../x.nrrd"/></MRML>',
        '<MRML><VolumeArchetypeStorage uri="http://example.org/x.nrrd"/></MRML>',
    ],
)
def test_a_bundle_that_refers_elsewhere_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableInputError, match="outside"):
        check_bundle(bundle(tmp_path / "a.mrb", text))


def test_damaged_and_escaping_bundles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mrb").write_bytes(b"no zip")
    for path in (
        tmp_path / "no.mrb",
        bundle(tmp_path / "e.mrb", "", "../scene.mrml"),
        bundle(tmp_path / "x.mrb", "", "x"),
    ):
        with pytest.raises(UnreadableInputError):
            check_bundle(path)


def test_uploads_over_the_limit_leave_nothing(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: make test-web")
    from SpineMeasureLib.web.routes import receive

    class Content:
        async def iter_chunked(self, size: int) -> object:
            for _ in range(4):
                yield b"0" * size

    class Request:
        query = {"name": "x.nii.gz"}
        content_length = None
        content = Content()

    with pytest.raises(TooLargeError):
        asyncio.run(receive(Request(), tmp_path, 100_000))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    path = asyncio.run(receive(Request(), tmp_path, 1 << 20))  # type: ignore[arg-type]
    assert path.stat().st_size == 4 << 16
