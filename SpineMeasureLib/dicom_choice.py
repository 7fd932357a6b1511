"""Which stack of a DICOM study to measure: the sagittal one on which discs and canal are seen best."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .dicom_series import Series, Study
from .errors import DicomSeriesError, ModalityError
from .volume import FEWEST_SLICES

#: Contrasts from best to worst: bright fluid shows the canal; the model saw real T2 alone.
_BY_MERIT = ("T2", "T2 FS", "STIR", "PD", "PD FS", "T1", "T1 FS", "", "other")
#: Spin echo limits in ms between T1, proton density and T2 weighting, where the description does not say (textbook
#: values; McRobbie et al., MRI from Picture to Proton, 3rd ed. 2017), inversion times around that which nulls fat (ln 2
#: of its T1, up to 3 T), and echo times at which only fluid has signal left (MR myelography).
_SHORT_TE_MS, _LONG_TE_MS, _SHORT_TR_MS = 40.0, 60.0, 1000.0
_FAT_NULL_MS = (80.0, 300.0)
_FLUID_ONLY_TE_MS = 400.0
#: Parts of words of a description (Philips puts the plane in front: sSTIR), and beginnings of words.
_STIR = ("stir", "tirm")
_FAT_SUPPRESSED = ("fat", "spair", "spir", "chess", "water")
_OTHER = (
    "myelo", "dwi", "dti", "diff", "adc", "trace", "sub", "mip", "swi", "map", "medic", "merge", "gre", "ffe", "flash",
    "t2star", "star", "perf", "dyn", "opp",
)  # fmt: skip
#: What enhanced images say of their contrast (PS3.3, Acquisition Contrast).
_STATED = {"T1": "T1", "T2": "T2", "PROTON_DENSITY": "PD", "STIR": "STIR", "UNKNOWN": "", "": ""}
#: Image types that are no magnitude image of all that has signal.
_NOT_ANATOMY = {
    "P", "PHASE", "PHASE MAP", "I", "R", "REAL", "IMAGINARY", "ADC", "DIFFUSION", "SUBTRACTION", "SUB", "FAT",
    "F", "OP", "OPP_PHASE", "OUT_PHASE", "FAT_FRACTION", "T2_STAR MAP", "T2 MAP", "T1 MAP", "VELOCITY",
    "PROJECTION IMAGE",
}  # fmt: skip
_ONLY_WATER = {"WATER", "W"}
#: More studies than this are counted, not named.
_MOST_NAMED = 8
#: Cosine of the angle (10 degrees) below which stacks of a series are meant to be one.
_NEARLY_PARALLEL = 0.985


def contrast(series: Series) -> str:
    """``"T2"``, ``"T2 FS"``, ``"STIR"``, ``"PD"``, ``"T1"`` ...: by the description, else as stated or by TR, TE, TI.

    :return: ``"other"`` for what is no such image (diffusion, myelography, phase, gradient echo T2* ...), empty where
        nothing tells; with a ``?`` where only the times tell.
    """
    words = re.split(r"[^a-z0-9*]+", series.protocol.lower())
    kind = set(series.frames[0].kind)
    if kind & _NOT_ANATOMY or any(w.startswith(_OTHER) or "t2*" in w for w in words):
        return "other"
    if _milliseconds(series, "EchoTime") >= _FLUID_ONLY_TE_MS or _number(series.frames[0].b_value) > 0:
        return "other"
    if any(name in w for w in words for name in _STIR):
        return "STIR"
    is_suppressed = bool(kind & _ONLY_WATER) or any(w.startswith(_FAT_SUPPRESSED) or _says_fs(w) for w in words)
    for name in ("t2", "t1", "pd"):
        if any(name in w for w in words):
            return f"{name.upper()}{' FS' if is_suppressed else ''}"
    stated = _STATED.get(series.header.get("AcquisitionContrast", ""), "other")
    found = stated or _by_times(series)
    return found + " FS" if is_suppressed and found.rstrip("?") in ("T2", "T1", "PD") else found


def _says_fs(word: str) -> bool:
    """``fs`` at the end of a word (``t2fs``), but not the fast spin echo of ``fse``."""
    return word.endswith("fs")


def _by_times(series: Series) -> str:
    repetition, echo = _milliseconds(series, "RepetitionTime"), _milliseconds(series, "EchoTime")
    if _FAT_NULL_MS[0] <= _milliseconds(series, "InversionTime") <= _FAT_NULL_MS[1]:
        return "STIR?"
    if not repetition or not echo:
        return ""
    if echo >= _LONG_TE_MS:
        return "T2?"
    if echo < _SHORT_TE_MS:
        return "T1?" if repetition < _SHORT_TR_MS else "PD?"
    return ""


def _milliseconds(series: Series, name: str) -> float:
    return _number(series.header.get(name, ""))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def choose_series(study: Study, wanted: str | None = None) -> tuple[Series, str, list[str]]:
    """The series to measure, why, and warnings.

    :param wanted: UID, number or (part of the) description of a series; UID of a study for the best sagittal series of
        it; None for that of all.
    :raises DicomSeriesError: nothing fits, several fit equally well, or what fits is of several studies.
    :raises ModalityError: none of several series is an MRI.
    """
    chosen, reason, warnings = _chosen(study, wanted)
    studies = len({series.study for series in study.series})
    if studies > 1 and wanted not in (chosen.uid, chosen.study):
        warnings.append(
            f"There are series of {studies} studies (examinations or patients), of which one was taken: "
            "check that it is the one you mean."
        )
    if chosen.localiser:
        warnings.append("The series is a localiser: its values are not to be trusted. Use a diagnostic series.")
    if chosen.unplaced:
        warnings.append(f"{chosen.unplaced} image(s) of the series do not say where they lie and were left out.")
    if study.damaged:
        warnings.append(f"{study.damaged} DICOM file(s) are damaged and were left out: slices may be missing.")
    return chosen, reason, warnings


def _chosen(study: Study, wanted: str | None) -> tuple[Series, str, list[str]]:
    series = study.series
    if not series:
        raise _nothing(study)
    if wanted and wanted in (s.study for s in series):
        series, wanted = tuple(s for s in series if s.study == wanted), None
    if wanted is not None:
        fits = _asked_for(series, wanted)
        if not fits:
            raise DicomSeriesError(f"There is no series '{wanted}'.", f"Choose by number with --series: {_all(series)}")
        _check_one_study(fits)
        return _best(fits), "chosen by the user", []
    if len(series) == 1:
        return series[0], "the only series", []
    if not any(s.modality in ("MR", "") for s in series):
        raise ModalityError(f"The images are of modality {series[0].modality}, not MRI.", "Choose an MR series.")
    candidates = [s for s in series if s.plane == "sagittal" and s.modality in ("MR", "") and not s.localiser]
    if not candidates:
        raise DicomSeriesError("None of the series is a sagittal MRI.", f"Choose one with --series: {_all(series)}")
    _check_one_study(candidates)
    best = _best(candidates)
    if any(_is_interleaved(best, s) for s in candidates if s is not best):
        raise DicomSeriesError(
            f"The slices of series {best.number.split('.')[0]} are tilted against each other.",
            "Use another series, or choose one of its stacks with --series.",
        )
    rivals = [str(s) for s in candidates if s is not best and _merit(s) == _merit(best)]
    remark = f"Series {best} was taken; the study also holds {'; '.join(rivals)} (choose with --series)."
    return best, _reason(best, candidates, series), [remark] if rivals else []


def _check_one_study(candidates: Sequence[Series]) -> None:
    """Refuse to choose between examinations, or patients: that one is measured must not hide the other."""
    studies: dict[str, list[str]] = {}
    for series in candidates:
        studies.setdefault(series.study, []).append(f"{series.number or '?'}: {series.description or 'no description'}")
    if len(studies) > 1:
        told = [f"{uid or 'no UID'} ({'; '.join(names)})" for uid, names in sorted(studies.items())]
        more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        raise DicomSeriesError(
            f"There are series of {len(told)} studies (examinations or patients).",
            "Choose with --series the UID of a study or of a series, which 'spinemeasure dicom list' prints: "
            f"{', '.join(told[:_MOST_NAMED])}{more}.",
        )


def _is_interleaved(one: Series, other: Series) -> bool:
    """Whether two stacks of a DICOM series are one, whose slices are not parallel: nearly so, each within the other."""
    a, b = one.frames[0], other.frames[0]
    if one.uid != other.uid or a.contrast != b.contrast or a.normal @ b.normal < _NEARLY_PARALLEL or a.is_beside(b):
        return False
    of_one, of_other = (np.array([frame.position for frame in s.frames]) @ a.normal for s in (one, other))
    return bool(of_one.min() < of_other.mean() < of_one.max())


def _nothing(study: Study) -> DicomSeriesError:
    if study.unplaced:
        return DicomSeriesError(
            "The images do not say where they lie (position, orientation or pixel spacing is missing), or are mosaics.",
            "Export the series from the archive or scanner as original DICOM images.",
        )
    damaged = f" {study.damaged} file(s) are damaged." if study.damaged else ""
    return DicomSeriesError(
        f"There is no series of at least {FEWEST_SLICES} parallel slices.{damaged}",
        "Name the folder of a whole series.",
    )


def _reason(best: Series, candidates: Sequence[Series], series: Sequence[Series]) -> str:
    if len(candidates) == 1:
        return f"the only sagittal MR series of {len(series)}"
    kind = f"{contrast(best) or 'contrast unknown'}, {'derived' if _is_derived(best) else 'original'} images"
    return (
        f"best of {len(candidates)} sagittal MR series: {kind}, {len(best.frames)} slices "
        "(T2 first, then original images, then the most slices)"
    )


def _asked_for(series: Sequence[Series], wanted: str) -> list[Series]:
    for fits in (
        [s for s in series if wanted in (s.uid, s.number)],
        [s for s in series if s.number.split(".")[0] == wanted],
        [s for s in series if wanted.lower() in s.description.lower()],
    ):
        if fits:
            return fits
    return []


def _best(series: Sequence[Series]) -> Series:
    most = max(map(_preference, series))
    equal = [s for s in series if _preference(s) == most]
    if len(equal) > 1:
        raise DicomSeriesError("Several series fit equally well.", f"Choose one with --series: {_all(equal)}")
    return equal[0]


def _all(series: Sequence[Series]) -> str:
    return "; ".join(map(str, series)) + "."


def _preference(series: Series) -> tuple[bool, int, bool, bool, int]:
    is_late_echo = _milliseconds(series, "EchoTime") >= _LONG_TE_MS  # of several echoes under one description
    return series.plane == "sagittal", *_merit(series), is_late_echo, len(series.frames)


def _merit(series: Series) -> tuple[int, bool]:
    """How well its kind of image shows discs and canal: contrast, then whether it is what the scanner took."""
    return -_BY_MERIT.index(contrast(series).rstrip("?")), not _is_derived(series)


def _is_derived(series: Series) -> bool:
    """Whether other images were made into this one: reformats, compositions, projections."""
    return "DERIVED" in series.frames[0].kind[:1]
