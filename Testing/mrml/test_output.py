"""The files that a reviewer takes away from a session: what is replaced, and what stays where a part fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.errors import OutputError
from SpineMeasureLib.review.output import copy_of, output_path, write_everything, write_report, write_table
from SpineMeasureLib.volume import Volume

#: What Slicer names the volumes of all patients of a protocol.
PROTOCOL = "5: t2_tse_sag"


def put_browser(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a shell script the browser that is found."""
    folder.mkdir()
    browser = folder / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_page_and_text_of_the_report_stay_when_the_browser_fails(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_browser(tmp_path / "bin", "exit 1", monkeypatch)
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"PDF was not created: .* Open T2_report\.html in a browser and print it"):
        write_report(session, out)
    assert sorted(file.name for file in out.iterdir()) == ["T2_report.html", "T2_report.txt"]
    assert "L4-L5" in (out / "T2_report.html").read_text(encoding="utf-8")


def test_a_browser_started_from_slicer_gets_the_variables_from_before_slicer(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer
    import slicer.util

    put_browser(tmp_path / "bin", f'echo "${{LD_LIBRARY_PATH-none}}" > {tmp_path}/told; exit 1', monkeypatch)
    before = dict(os.environ)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/Slicer/lib/Slicer-5.12")
    monkeypatch.setattr(slicer, "app", object(), raising=False)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: before)
    with pytest.raises(OutputError):
        write_report(session, tmp_path / "out")
    assert (tmp_path / "told").read_text().strip() == before.get("LD_LIBRARY_PATH", "none")


def of_another_patient(scene: Any, small: Any) -> Any:
    """The review of another case, whose volume has the same name."""
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.session import Session

    volume = add_volume(scene, Volume(small[0].labels.astype(np.int16), small[0].affine), PROTOCOL)
    return Session.build(scene, volume, *small, PROTOCOL)


@pytest.fixture
def two(session: Any, scene: Any, small: Any) -> Iterator[tuple[Any, Any]]:
    """The reviews of two patients of one protocol."""
    session.nodes.volume.SetName(PROTOCOL)
    other = of_another_patient(scene, small)
    yield session, other
    other.close()


def report(session: Any, folder: Path) -> Path:
    return write_report(session, folder, pdf=False)


@pytest.mark.parametrize("write", [write_table, write_everything, report])
def test_the_next_patient_of_the_same_protocol_replaces_no_file(two: Any, write: Any, tmp_path: Path) -> None:
    first, second = two
    one = write(first, tmp_path)
    before = one.read_bytes()
    other = write(second, tmp_path)
    assert other.name == one.name.replace("sag_", "sag_2_") and one.read_bytes() == before
    assert other.read_bytes() != before


def test_what_a_session_wrote_before_it_replaces(two: Any, tmp_path: Path) -> None:
    for session in two:
        path = write_table(session, tmp_path)
        automatic = path.read_text(encoding="utf-8")
        session.accept([m.key for m in session.rows], "AB")
        assert write_table(session, tmp_path) == path and path.read_text(encoding="utf-8") != automatic
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_stands_for_one_patient_whatever_is_written_first(two: Any, tmp_path: Path) -> None:
    first, second = two
    write_table(first, tmp_path)
    assert report(second, tmp_path).name == "5_ t2_tse_sag_2_report.html"
    assert write_table(second, tmp_path).name == "5_ t2_tse_sag_2_measurements.csv"
    assert report(first, tmp_path).name == "5_ t2_tse_sag_report.html"


@pytest.mark.parametrize("ending", [".mrb", "_dicom", "_report.pdf"])
def test_scenes_folders_and_pdfs_of_others_are_not_replaced_either(session: Any, ending: str, tmp_path: Path) -> None:
    path = output_path(session, tmp_path, ending)
    assert path == tmp_path / f"T2{ending}"
    path.mkdir()
    assert output_path(session, tmp_path, ending) == tmp_path / f"T2_2{ending}"
    (tmp_path / f"T2_2{ending}").mkdir()
    assert output_path(session, tmp_path, ending) == tmp_path / f"T2_3{ending}"
    session.written.add(path)
    assert output_path(session, tmp_path, ending) == path


def test_what_could_not_be_written_is_not_taken_for_the_sessions_own(session: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        write_table(session, tmp_path / "file")
    assert not session.written


def test_a_copy_is_named_after_its_volume_whatever_lies_in_the_working_folder(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "T2.mrb").write_text("x")
    assert copy_of(session).name == "T2"


def test_what_dicom_objects_change_in_the_headers_is_returned(scene: Any, small: Any, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    from SpineMeasureLib.io.read import read_volume
    from SpineMeasureLib.review.mrml.images import add_volume
    from SpineMeasureLib.review.output import write_dicom_archive, write_dicom_objects
    from SpineMeasureLib.review.session import Session
    from SpineMeasureLib.segmentation import segmentation_on
    from Testing.library.dicom_study import write_study

    write_study(tmp_path / "study", Volume(small[0].labels.astype(np.uint16) * 10, small[0].affine))
    images = sorted((tmp_path / "study").iterdir())
    for file in images:
        header = pydicom.dcmread(file)
        del header.StudyID
        header.save_as(file)
    volume = read_volume(tmp_path / "study")
    session = Session.build(scene, add_volume(scene, volume, "T2"), segmentation_on(volume, small[0]), small[1])
    files, warnings = write_dicom_objects(session, images, tmp_path / "objects")
    assert [file.name for file in files] == ["measurements.dcm", "segmentation.dcm"]
    assert all(file.is_file() for file in files) and "StudyID" in " ".join(warnings)
    path, again = write_dicom_archive(copy_of(session), tmp_path / "study", tmp_path)
    assert path.name == "T2_dicom.zip" and again == warnings
    session.close()
