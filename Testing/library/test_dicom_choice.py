"""Which series of a study is measured, and the reason given: on studies as scanners of several makers name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.errors import DicomSeriesError
from SpineMeasureLib.io.dicom.listing import list_study, rows
from SpineMeasureLib.io.read import read_volume

pytest.importorskip("pydicom")

from .dicom_slices import AXIAL, SAGITTAL, write_series  # noqa: E402

CORONAL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
MPR = ["DERIVED", "SECONDARY", "MPR"]


def one(number: int, description: str, axes: np.ndarray = SAGITTAL, count: int = 7, **tags: Any) -> dict[str, Any]:
    return {"SeriesNumber": number, "SeriesDescription": description, "axes": axes, "count": count, **tags}


SIEMENS = (
    one(1, "localizer", CORONAL, 3),
    one(2, "t2_tse_sag_320"),
    one(3, "t1_tse_sag_320"),
    one(4, "t2_tirm_sag"),
    one(5, "t2_tse_tra", AXIAL, 12),
    one(6, "t2_spc_sag_MPR", ImageType=MPR, count=14),
    one(7, "t2_haste_myelo_sag", count=12),
)
GE = (
    one(1, "3-pl Loc"),
    one(2, "Sag FSE T2"),
    one(3, "Sag T1 FLAIR", count=9),
    one(4, "Sag STIR", count=9),
    one(5, "Sag T2 FSE fs", count=9),
    one(6, "Ax T2 FSE", AXIAL, 12),
)
PHILIPS = (
    one(101, "Survey"),
    one(201, "sT2W_TSE"),
    one(301, "sT1W_TSE", count=9),
    one(401, "sSTIR_TSE", count=9),
    one(501, "sT2W_mDIXON", count=9, ImageType=["DERIVED", "PRIMARY", "W", "W", "DERIVED"]),
    one(601, "VEN_BOLD T2*", count=9),
    one(701, "sDWI T2 ADC", count=9),
)
UNNAMED = (
    one(2, "", RepetitionTime=3500, EchoTime=100),
    one(3, "", RepetitionTime=500, EchoTime=10, count=9),
    one(4, "", RepetitionTime=4000, EchoTime=70, InversionTime=160, count=9),
    one(5, "", RepetitionTime=3500, EchoTime=900, count=9),
)
NO_T2 = (one(2, "T1 TSE sag"), one(3, "STIR sag"), one(4, "T1 TSE fs Gd sag"))
ISOTROPIC = (one(2, "t2 tse sag"), one(3, "t2 space sag", count=12), one(4, "t2 space cor MPR", CORONAL, 20))


@pytest.mark.parametrize(
    ("study", "chosen", "reason"),
    [
        (SIEMENS, "2", "best of 5 sagittal MR series: T2, original images, 7 slices"),
        (GE, "2", "T2, original"),
        (PHILIPS, "201", "T2, original"),
        (UNNAMED, "2", "T2?, original"),
        (NO_T2, "3", "STIR"),
        (ISOTROPIC, "3", "12 slices"),
        (SIEMENS[3:6], "6", "T2, derived images"),
    ],
    ids=["siemens", "ge", "philips", "unnamed", "no-t2", "isotropic", "only-a-reformat-is-t2"],
)
def test_the_series_that_a_radiologist_would_measure_is_chosen(
    study: tuple[dict[str, Any], ...], chosen: str, reason: str, tmp_path: Path
) -> None:
    for series in study:
        write_series(tmp_path, **series)
    listing = list_study(tmp_path)
    assert listing.chosen is not None, listing.reason
    assert listing.chosen.number == chosen, listing.reason
    assert reason in listing.reason
    assert [r["number"] for r in rows(listing) if r["chosen"]] == [chosen]


def test_stations_of_a_whole_spine_are_left_to_the_user(tmp_path: Path) -> None:
    for n, part in enumerate(("cervical", "thoracic", "lumbar")):
        write_series(tmp_path, **one(n + 2, f"t2 sag {part}"))
    write_series(tmp_path, **one(9, "t1 sag"))
    listing = list_study(tmp_path)
    assert listing.chosen is None
    assert "lumbar" in listing.reason and "t1 sag" not in listing.reason


def test_other_t2_series_are_named_beside_the_chosen_one(tmp_path: Path) -> None:
    for series in ISOTROPIC:
        write_series(tmp_path, **series)
    (warning,) = list_study(tmp_path).warnings
    assert "2: t2 tse sag" in warning and "cor" not in warning


def test_thick_axial_slices_and_localisers_are_warned_of(tmp_path: Path) -> None:
    write_series(tmp_path / "a", **one(5, "t2 tra", AXIAL))
    (warning,) = list_study(tmp_path / "a").warnings
    assert "disc heights are unreliable" in warning
    assert read_volume(tmp_path / "a").meta["warnings"] == [warning]
    write_series(tmp_path / "b", **one(1, "scout"))
    assert "localiser" in str(list_study(tmp_path / "b").warnings)


TWO_STUDIES = (
    one(1, "t2 sag", StudyInstanceUID="1.2.5.1", PatientID="secret-8", count=8),
    one(1, "t1 sag", StudyInstanceUID="1.2.5.2", PatientID="secret-9", StudyDate="20240101"),
    one(2, "t2 tra", AXIAL, StudyInstanceUID="1.2.5.2", PatientID="secret-9"),
)


@pytest.fixture
def two_studies(tmp_path: Path) -> Path:
    for number, series in enumerate(TWO_STUDIES):
        write_series(tmp_path / str(number), **series)
    return tmp_path


@pytest.mark.parametrize("wanted", [None, "1", "sag"])
def test_nothing_is_chosen_among_studies_which_are_named(two_studies: Path, wanted: str | None) -> None:
    with pytest.raises(DicomSeriesError, match="belong to 2 studies") as caught:
        read_volume(two_studies, wanted)
    for told in ("1.2.5.1 (1: t2 sag)", "1.2.5.2 (1: t1 sag)", "--series"):
        assert told in str(caught.value)
    assert not [word for word in ("Doe", "secret", "20240101") if word in str(caught.value)]


def test_one_of_several_studies_is_chosen_by_its_uid(two_studies: Path) -> None:
    volume = read_volume(two_studies, "1.2.5.2")
    assert volume.meta["series"] == "t1 sag"
    assert volume.meta["series_chosen"] == "the only sagittal MR series of 2"
    assert volume.meta["warnings"] == []


def test_a_series_of_several_studies_is_chosen_by_its_uid(two_studies: Path) -> None:
    found = {(str(r["study_uid"]), r["number"]): str(r["uid"]) for r in rows(list_study(two_studies))}
    assert len(set(found.values())) == 3
    volume = read_volume(two_studies, found["1.2.5.2", "1"])
    assert (volume.meta["series"], volume.meta["warnings"]) == ("t1 sag", [])


@pytest.mark.parametrize("wanted", [None, "t2 sag"])
def test_a_second_study_that_cannot_be_meant_is_told(tmp_path: Path, wanted: str | None) -> None:
    for number in (0, 2):
        write_series(tmp_path / str(number), **TWO_STUDIES[number])
    volume = read_volume(tmp_path, wanted)
    assert volume.meta["series"] == "t2 sag"
    (warning,) = volume.meta["warnings"]  # type: ignore[misc]
    assert "belong to 2 studies" in warning


def test_the_patient_in_a_description_is_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, **one(2, "DOE t2 sag secret-7"))
    listing = list_study(tmp_path)
    assert [r["description"] for r in rows(listing)] == ["t2 sag"]


@pytest.mark.parametrize("spelled", ["19640812", "1964-08-12", "12.08.1964", "08/12/1964"])
def test_the_date_of_birth_in_a_description_is_left_out_however_it_is_spelled(tmp_path: Path, spelled: str) -> None:
    write_series(tmp_path, **{**one(2, f"t2 sag {spelled}"), "PatientBirthDate": "19640812"})
    assert [r["description"] for r in rows(list_study(tmp_path))] == ["t2 sag"]
