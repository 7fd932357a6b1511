"""What series descriptions of many makers and languages mean, and which series of a study they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from SpineMeasureLib.io.dicom.contrast import contrast
from SpineMeasureLib.io.dicom.listing import list_study
from SpineMeasureLib.io.dicom.series import read_study
from SpineMeasureLib.io.dicom.words import read_description

pytest.importorskip("pydicom")

from .dicom_slices import write_series  # noqa: E402

LOCALISER, COMPOSED, REFORMAT, AFTER = "localiser", "composed", "reformat", "after contrast"
#: Description, contrast, role; times and image type say nothing.
DESCRIPTIONS = [
    # Siemens
    ("t2_tse_sag", "T2", ""),
    ("t2_tse_sag_320_p2", "T2", ""),
    ("t1_tse_sag", "T1", ""),
    ("t2_tirm_sag", "STIR", ""),
    ("t2_tse_stir_sag_dr", "STIR", ""),
    ("t2_tse_sag_fs", "T2 FS", ""),
    ("t2_tse_sag_Deep Resolve", "T2", ""),
    ("t2_tse_sag_DRB_DRS", "T2", ""),
    ("t2_space_sag_p2_iso", "T2", ""),
    ("t1_vibe_dixon_W", "T1 FS", ""),
    ("t1_vibe_dixon_F", "other", ""),
    ("t1_vibe_dixon_opp", "other", ""),
    ("t2_tse_dixon_sag_in", "T2", ""),
    ("t2_tse_dixon_sag_W", "T2 FS", ""),
    ("t2_tse_sag_COMPOSED", "T2", COMPOSED),
    ("t2_spc_sag MPR", "T2", REFORMAT),
    ("t2_haste_myelo_MIP", "other", ""),
    ("t2_me2d_medic_tra", "other", ""),
    ("ep2d_diff_b50_400_800_TRACEW", "other", ""),
    ("ep2d_diff_ADC", "other", ""),
    ("t1_tse_sag_fs_KM", "T1 FS", AFTER),
    ("localizer", "", LOCALISER),
    ("AAHScout_MPR_sag", "", LOCALISER),
    ("Lokalisation", "", LOCALISER),
    ("T2 HASTE PILOT SAG", "T2", LOCALISER),
    ("t1_fl2d_sag_Sub", "other", ""),
    ("PosDisp: [3] t2_tse_sag", "other", ""),
    # GE
    ("SAG T2 FRFSE", "T2", ""),
    ("Sag T2 FSE", "T2", ""),
    ("SAG_FSE_T2_AIR_RECON_DL", "T2", ""),
    ("SAG T2 FLEX AIR Recon DL", "T2", ""),
    ("WATER: Sag T2 FSE Flex", "T2 FS", ""),
    ("FAT: Sag T2 FSE Flex", "other", ""),
    ("InPhase: Sag T2 FSE Flex", "T2", ""),
    ("OutPhase: Sag T2 FSE Flex", "other", ""),
    ("Sag T2 IDEAL Water", "T2 FS", ""),
    ("Sag T1 FLAIR", "T1", ""),
    ("Sag T2 FLAIR", "other", ""),
    ("SAG STIR", "STIR", ""),
    ("Sag FSE-IR", "STIR", ""),
    ("Sag T2 ASSET", "T2", ""),
    ("ASSET calibration", "other", ""),
    ("3-Plane Loc SSFSE", "", LOCALISER),
    ("3-pl T2* FGRE", "other", LOCALISER),
    ("3-plane", "", LOCALISER),
    ("3Plane Localizer", "", LOCALISER),
    ("Ax MERGE", "other", ""),
    ("T2_TSE_SAG_MERGED", "T2", ""),
    ("Sag T1 +C", "T1", AFTER),
    ("Sag T1 FS+C", "T1 FS", AFTER),
    ("Pasted Sag T2", "T2", COMPOSED),
    # Philips
    ("sT2W_TSE", "T2", ""),
    ("sT2W", "T2", ""),
    ("T2W_TSE_SAG", "T2", ""),
    ("sT1W_TSE", "T1", ""),
    ("sSTIR_TSE", "STIR", ""),
    ("T2W_TSE_SAG Compressed SENSE", "T2", ""),
    ("T2W TSE sag SmartSpeed AI", "T2", ""),
    ("T2W_SPAIR_SAG", "T2 FS", ""),
    ("sT2W_mDIXON_W", "T2 FS", ""),
    ("sT2W_mDIXON_IP", "T2", ""),
    ("sT2W_mDIXON_OP", "other", ""),
    ("T2 mDIXON FAT", "other", ""),
    ("mFFE_tra", "other", ""),
    ("sDWI", "other", ""),
    ("dADC", "other", ""),
    ("Survey", "", LOCALISER),
    ("SURVEY_COIL", "", LOCALISER),
    ("Ref_SENSE", "other", ""),
    ("CoilSurvey", "other", LOCALISER),
    ("T2W MobiView", "T2", COMPOSED),
    ("PDW_TSE_SPIR", "PD FS", ""),
    # Canon, Hitachi and Fujifilm, United Imaging, denoising from others
    ("Sag T2 FSE AiCE", "T2", ""),
    ("T2 SAG FASE", "T2", ""),
    ("SAG T2 FatSat PIQE", "T2 FS", ""),
    ("Locator scano", "", LOCALISER),
    ("FSE T2 SAG", "T2", ""),
    ("T2 SG FIR", "T2", ""),
    ("scanogram", "", LOCALISER),
    ("t2_fse_sag_ACS_uAI", "T2", ""),
    ("t2_fse_sag_fs", "T2 FS", ""),
    ("scout", "", LOCALISER),
    ("SAG T2 SwiftMR", "T2", ""),
    ("SubtleMR_SAG_T2", "T2", ""),
    ("SAG T1 SubtleMR", "T1", ""),
    # anyone
    ("SAGT2FS", "T2 FS", ""),
    ("T2 SAG local coil", "T2", ""),
    ("T2 SAG no FS", "T2", ""),
    ("T2 SAG fat suppressed", "T2 FS", ""),
    ("T2 sag flow comp", "T2", ""),
    ("T2 sag comp SENSE", "T2", ""),
    ("T1 SAG RPT2", "T1", ""),
    ("T1 SAG pre contrast", "T1", ""),
    ("T1 SAG POST GD", "T1", AFTER),
    ("subtraction sag", "other", ""),
    ("T2 map sag", "other", ""),
    ("T2* sag", "other", ""),
    ("MR myelogram", "other", ""),
    ("Sag CISS", "", ""),
    # German, French, Spanish, Italian, Chinese
    ("T2 TSE sagittal LWS", "T2", ""),
    ("T1 sag nach KM", "T1", AFTER),
    ("T1 sag ohne KM", "T1", ""),
    ("T2 sag fettges\u00e4ttigt", "T2 FS", ""),
    ("\u00dcbersicht sag", "", LOCALISER),
    ("Suchschnitte", "", LOCALISER),
    ("T2 sag zusammengesetzt", "T2", COMPOSED),
    ("Sagittale T2 FSE", "T2", ""),
    ("Rep\u00e9rage", "", LOCALISER),
    ("T2 SAG saturation de la graisse", "T2 FS", ""),
    ("DP SAG", "PD", ""),
    ("localizador", "", LOCALISER),
    ("SAG T2 supresi\u00f3n grasa", "T2 FS", ""),
    ("STIR sagital columna", "STIR", ""),
    ("T1 SAG con contraste", "T1", AFTER),
    ("\u5b9a\u4f4d\u50cf", "", LOCALISER),
    ("\u77e2\u72b6\u4f4dT2", "T2", ""),
    ("T2\u77e2\u72b6\u4f4d\u538b\u8102", "T2 FS", ""),
    ("T1\u589e\u5f3a\u77e2\u72b6\u4f4d", "T1", AFTER),
    ("\u5f25\u6563\u52a0\u6743", "other", ""),
    # words that begin as others do: diseases, surnames, places, purposes
    ("T2 TSE SAG MYELOPATHY", "T2", ""),
    ("T2 SAG Myeloma whole spine", "T2", ""),
    ("T2 sag myelitis", "T2", ""),
    ("T2 sag Myelom", "T2", ""),
    ("T2 SAG metastases", "T2", ""),
    ("T2 sag discitis", "T2", ""),
    ("T2 sag scoliosis", "T2", ""),
    ("T2 sag angioma", "T2", ""),
    ("T2 sag subluxation", "T2", ""),
    ("T2 sag subtotal resection", "T2", ""),
    ("T2 sag diffuse idiopathic hyperostosis", "T2", ""),
    ("T2 sag perforation", "T2", ""),
    ("T2 sag calcification", "T2", ""),
    ("T2 sag calibrated", "T2", ""),
    ("T2 sag injury", "T2", ""),
    ("T2 sag post op", "T2", ""),
    ("T2 sag localised pain", "T2", ""),
    ("T2 sag pilot study", "T2", ""),
    ("T2 sag surveyor", "T2", ""),
    ("T2 sag opposite side", "T2", ""),
    ("T2 sag opp side", "T2", ""),
    ("Sag T2 Maple Clinic", "T2", ""),
    ("Sag T2 Mapleton", "T2", ""),
    ("T2 sag Dr Adcock", "T2", ""),
    ("T2 sag Flairson", "T2", ""),
    ("T2 sag Dwight", "T2", ""),
    ("T2 sag Stirling", "T2", ""),
    ("T2 sag Gaddis", "T2", ""),
    ("T2 sag Scanlon", "T2", ""),
    ("T2 sag Scoutland", "T2", ""),
    ("T2 sag Dynasty Clinic", "T2", ""),
    ("T2 sag Dynamic", "T2", ""),
    ("T2 SAG (LOCAL SHIM)", "T2", ""),
    ("T2 SAG RT PLANNING", "T2", ""),
    ("T2 sag prescan norm", "T2", ""),
    ("T2 sag Rekowski", "T2", ""),
    ("T2 sag Compostela", "T2", ""),
    ("T2 sag SUB", "other", ""),
    ("T1 sag dynamic", "other", ""),
    ("T2 mapping sag", "other", ""),
    ("ADC map", "other", ""),
    ("MR Myelographie", "other", ""),
    ("Kalibrierung", "other", ""),
    ("Shimming", "other", ""),
    ("Planning", "", LOCALISER),
    ("Scout2", "", LOCALISER),
    ("myelo3d sag", "other", ""),
    ("T2FLAIR sag", "other", ""),
    ("T2STIR sag", "STIR", ""),
    ("T1 SAG gadolinium", "T1", AFTER),
]


def role(description: str) -> str:
    described = read_description(description)
    if described.localiser:
        return LOCALISER
    named = ((COMPOSED, described.composed), (REFORMAT, described.reformat), (AFTER, described.after_contrast))
    return next((name for name, holds in named if holds), "")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One series for each description, numbered by its row."""
    folder = tmp_path_factory.mktemp("described")
    for n, (description, _, _) in enumerate(DESCRIPTIONS):
        tags = {"SeriesNumber": n + 1, "SeriesDescription": description, "SpecificCharacterSet": "ISO_IR 192"}
        write_series(folder, count=3, **tags)
    return {series.number: series for series in read_study(folder).series}


@pytest.mark.parametrize(("row", "what"), list(enumerate(DESCRIPTIONS)), ids=[d[0] for d in DESCRIPTIONS])
def test_a_description_means_what_a_radiographer_meant(
    row: int, what: tuple[str, str, str], described: dict[str, Any]
) -> None:
    description, wanted, wanted_role = what
    series = described[str(row + 1)]
    assert (contrast(series), role(description)) == (wanted, wanted_role)
    assert series.localiser is (wanted_role == LOCALISER)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("SAG T1", "SAG T2 SwiftMR"), "SAG T2 SwiftMR"),
        (("T1_TSE_SAG", "T2_TSE_SAG_MERGED"), "T2_TSE_SAG_MERGED"),
        (("T1 sag", "T2 SAG local coil"), "T2 SAG local coil"),
        (("IN: Sag T2 Flex", "WATER: Sag T2 Flex", "FAT: Sag T2 Flex"), "IN: Sag T2 Flex"),
        (("T2 sag upper", "T2 sag mid", "T2 sag lower", "T2 sag composed"), "T2 sag composed"),
        (("T2 HASTE sag", "T2 TSE sag"), "T2 TSE sag"),
        (("T1 TSE sag", "T1 TSE sag +C"), "T1 TSE sag"),
        (("t2_tse_sag MPR", "t2_tse_sag"), "t2_tse_sag"),
    ],
)
def test_of_several_series_the_one_to_measure_is_chosen(names: tuple[str, ...], chosen: str, tmp_path: Path) -> None:
    for n, name in enumerate(names):
        write_series(tmp_path, count=6 + 3 * (name != chosen), SeriesNumber=n + 1, SeriesDescription=name)
    listing = list_study(tmp_path)
    assert listing.chosen is not None, listing.reason
    assert listing.chosen.description == chosen


def test_all_stations_are_listed_if_two_of_them_have_the_most_slices(tmp_path: Path) -> None:
    for n, name in enumerate(("T2 sag upper", "T2 sag mid", "T2 sag lower")):
        write_series(tmp_path, count=6 - n // 2, SeriesNumber=n + 1, SeriesDescription=name)
    reason = list_study(tmp_path).reason
    assert all(name in reason for name in ("upper", "mid", "lower"))


@pytest.mark.parametrize("names", [("T2 sag HWS", "T2 sag LWS"), ("T2 sag station 1", "T2 sag station 2")])
def test_stations_are_left_to_the_user_whatever_their_slices(names: tuple[str, str], tmp_path: Path) -> None:
    for n, name in enumerate(names):
        write_series(tmp_path, count=6 + n, SeriesNumber=n + 1, SeriesDescription=name)
    listing = list_study(tmp_path)
    assert listing.chosen is None
    assert all(name in listing.reason for name in names)


@pytest.mark.parametrize(
    ("description", "parts"),
    [
        ("T2 sag cervical", {"upper"}),
        ("T2 sag Thoracic spine", {"middle"}),
        ("T2 sag LSPINE", {"lower"}),
        ("rachis lombaire", {"lower"}),
        ("T2 sag Halswirbels\u00e4ule", {"upper"}),
        ("T2 sag midline", set()),
        ("T2 sag Thorne", set()),
        ("T2 sag Lombardi", set()),
        ("T2 sag Dorset", set()),
        ("T2 sag Halstead", set()),
        ("T2 sag L Spencer", set()),
    ],
)
def test_parts_of_the_spine_are_named_by_whole_words(description: str, parts: set[str]) -> None:
    assert read_description(description).parts == parts
