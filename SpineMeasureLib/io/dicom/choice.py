"""Which stack of a DICOM study to measure: the sagittal one on which discs and canal are seen best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import DicomSeriesError, ModalityError
from ...orientation import corners
from ..checks import MINIMUM_SLICES
from .contrast import LONG_TE_MS, contrast, milliseconds
from .series import Series, Study
from .words import read_description

#: Contrasts from best to worst: bright fluid shows the canal; the model saw real T2 alone.
_BY_MERIT = ("T2", "T2 FS", "STIR", "PD", "PD FS", "T1", "T1 FS", "", "other")
_COMPOSED = 2
#: More studies than this are counted, not named.
_MAXIMUM_NAMED = 8
#: Cosine of the angle (10 degrees) below which stacks of a series are meant to be one.
_NEARLY_PARALLEL = 0.985
#: Pixels and slices (mm) of images for planning, which are also this much coarser than the other series.
_COARSE_PIXEL_MM, _COARSE_SLICE_MM, _COARSER = 1.1, 7.5, 1.5
#: The first parts of a preference describe the kind of image.
_OF_KIND = 4
#: Stacks whose centres differ by more than this fraction of their craniocaudal extent are stations of a long spine.
_STATION_SHIFT = 0.25
#: A stack composed of stations is longer than each by this factor.
_LONGER = 1.3


def choose_series(study: Study, requested: str | None = None) -> tuple[Series, str, list[str]]:
    """Return the series to measure, the reason, and warnings.

    :param requested: UID, number or (part of the) description of a series; UID of a study for its best sagittal
        series; None for the best of all.
    :raises DicomSeriesError: nothing fits, several fit equally well, or what fits is of several studies.
    :raises ModalityError: none of several series is an MRI.
    """
    chosen, reason, warnings = _chosen(study, requested)
    studies = len({series.study for series in study.series})
    if studies > 1 and requested not in (chosen.uid, chosen.study):
        warnings.append(
            f"The series belong to {studies} studies (examinations or patients), one of which was chosen: "
            "check that it is the right one."
        )
    if chosen.uids > 1:
        warnings.append(
            f"Each image has its own series UID; {chosen.uids} series with the same number and description were merged."
        )
    if chosen.localiser:
        warnings.append("The series is a localiser: its values are unreliable. Use a diagnostic series.")
    if chosen.unplaced:
        warnings.append(f"{chosen.unplaced} image(s) of the series do not state their position and were left out.")
    if study.damaged:
        warnings.append(f"{study.damaged} DICOM file(s) are damaged and were left out: slices may be missing.")
    return chosen, reason, warnings


def _chosen(study: Study, requested: str | None) -> tuple[Series, str, list[str]]:
    series = study.series
    if not series:
        raise _nothing(study)
    if requested and requested in (s.study for s in series):
        series, requested = tuple(s for s in series if s.study == requested), None
    if requested is not None:
        fits = _matching(series, requested)
        if not fits:
            raise DicomSeriesError(
                f"There is no series '{requested}'.", f"Choose by number with --series: {_all(series)}"
            )
        _check_one_study(fits)
        return _best(fits), "chosen by the user", []
    if len(series) == 1:
        return series[0], "the only series", []
    if not any(s.modality in ("MR", "") for s in series):
        raise ModalityError(f"The images are of modality {series[0].modality}, not MRI.", "Choose an MR series.")
    candidates = [s for s in _sagittal(series) if not s.localiser]
    if not candidates:
        what = "Every sagittal series is a localiser." if _sagittal(series) else "No series is a sagittal MRI."
        raise DicomSeriesError(what, f"Choose one with --series: {_all(series)}")
    _check_one_study(candidates)
    best = _best(candidates)
    if any(_is_interleaved(best, s) for s in candidates if s is not best):
        raise DicomSeriesError(
            f"The slices of series {best.number.split('.')[0]} are tilted relative to each other.",
            "Use another series, or choose one of its stacks with --series.",
        )
    merit = _merit(best, candidates)
    rivals = [s for s in candidates if s is not best and _merit(s, candidates) == merit]
    if any(_is_other_station(best, s) for s in rivals):
        raise _equal([best, *rivals])
    others = "; ".join(map(str, rivals))
    remark = f"Series {best} was chosen; the study also contains {others} (choose with --series)."
    return best, _reason(best, candidates, series), [remark] if rivals else []


def _sagittal(series: Sequence[Series]) -> list[Series]:
    return [s for s in series if s.plane == "sagittal" and s.modality in ("MR", "")]


def _is_other_station(one: Series, other: Series) -> bool:
    """Return whether two stacks show different parts of the spine, by their names or positions."""
    parts, others = read_description(one.protocol).parts, read_description(other.protocol).parts
    if parts and others and not parts & others:
        return True
    spans = _span(one), _span(other)
    shift = abs(np.mean(spans[0]) - np.mean(spans[1]))
    return bool(shift > _STATION_SHIFT * min(high - low for low, high in spans))


def _span(series: Series) -> tuple[float, float]:
    """Return the lowest and highest point of the middle slice, in mm from foot to head."""
    middle = series.frames[len(series.frames) // 2]
    along = corners(middle.affine(middle.normal), (*middle.size[::-1], 1))[:, 2]
    return float(along.min()), float(along.max())


def _covers_stations(series: Series, among: Sequence[Series]) -> bool:
    """Return whether a long stack covers two others of its contrast that show different parts of the spine."""
    low, high = _span(series)
    slack = _STATION_SHIFT * (high - low) / 2
    inside = []
    for other in among:
        foot, head = _span(other)
        is_within = low - slack < foot and head < high + slack and high - low > _LONGER * (head - foot)
        if is_within and contrast(other) == contrast(series):
            inside.append(other)
    return any(_is_other_station(a, b) for n, a in enumerate(inside) for b in inside[:n])


def _check_one_study(candidates: Sequence[Series]) -> None:
    """Refuse to choose between examinations or patients: measuring one must not hide the other."""
    studies: dict[str, list[str]] = {}
    for series in candidates:
        studies.setdefault(series.study, []).append(f"{series.number or '?'}: {series.description or 'no description'}")
    if len(studies) > 1:
        listed = [f"{uid or 'no UID'} ({'; '.join(names)})" for uid, names in sorted(studies.items())]
        more = f" and {len(listed) - _MAXIMUM_NAMED} more" if len(listed) > _MAXIMUM_NAMED else ""
        raise DicomSeriesError(
            f"The series belong to {len(listed)} studies (examinations or patients).",
            "Choose with --series the UID of a study or of a series, which 'spinemeasure dicom list' prints: "
            f"{', '.join(listed[:_MAXIMUM_NAMED])}{more}.",
        )


def _is_interleaved(one: Series, other: Series) -> bool:
    """Return whether two stacks are one whose slices are not parallel: almost parallel, each within the other."""
    a, b = one.frames[0], other.frames[0]
    if (one.uid, one.protocol) != (other.uid, other.protocol) or a.contrast != b.contrast:
        return False
    if a.is_parallel(b) or a.normal @ b.normal < _NEARLY_PARALLEL or a.is_beside(b):
        return False
    of_one, of_other = (np.array([frame.position for frame in s.frames]) @ a.normal for s in (one, other))
    return bool(of_one.min() < of_other.mean() < of_one.max())


def _nothing(study: Study) -> DicomSeriesError:
    if study.unplaced:
        return DicomSeriesError(
            "The images do not state their position (or orientation or pixel spacing), or are mosaics.",
            "Export the series from the archive or scanner as original DICOM images.",
        )
    if study.single >= MINIMUM_SLICES:
        return DicomSeriesError(
            f"Each of {study.single} images has its own series UID, and the images cannot be combined.",
            "Export the series again with one UID for all its images.",
        )
    damaged = f" {study.damaged} file(s) are damaged." if study.damaged else ""
    return DicomSeriesError(
        f"No series has at least {MINIMUM_SLICES} parallel slices.{damaged}",
        "Specify the folder of a complete series.",
    )


def _reason(best: Series, candidates: Sequence[Series], series: Sequence[Series]) -> str:
    if len(candidates) == 1:
        but = " that is not a localiser" if len(_sagittal(series)) > 1 else ""
        return f"the only sagittal MR series of {len(series)}{but}"
    made = ("derived", "original", "composed")[_making(best, candidates)]
    return (
        f"best of {len(candidates)} sagittal MR series: {contrast(best) or 'contrast unknown'}, {made} images, "
        f"{len(best.frames)} slices (T2 first, then images composed of stations, then original images, then the finest "
        "voxels, then the most slices)"
    )


def _matching(series: Sequence[Series], requested: str) -> list[Series]:
    for fits in (
        [s for s in series if requested in (s.uid, s.number)],
        [s for s in series if s.number.split(".")[0] == requested],
        [s for s in series if requested.lower() in s.description.lower()],
    ):
        if fits:
            return fits
    return []


def _best(series: Sequence[Series]) -> Series:
    preferences = [_preference(s, series) for s in series]
    best = max(preferences)
    if preferences.count(best) > 1:  # list all of their kind; the number of slices does not matter
        raise _equal([s for s, p in zip(series, preferences, strict=True) if p[:_OF_KIND] == best[:_OF_KIND]])
    return series[preferences.index(best)]


def _equal(series: Sequence[Series]) -> DicomSeriesError:
    return DicomSeriesError("Several series are equally suitable.", f"Choose one with --series: {_all(series)}")


def _all(series: Sequence[Series]) -> str:
    return "; ".join(map(str, series)) + "."


def _preference(series: Series, among: Sequence[Series]) -> tuple[bool, bool, int, int, bool, bool, int, int]:
    is_late_echo = milliseconds(series, "EchoTime") >= LONG_TE_MS  # of several echoes under one description
    is_native = not read_description(series.protocol).after_contrast
    voxel = -round(np.log2(np.prod(series.spacing) or 1.0))  # in powers of two: small differences do not count
    return series.plane == "sagittal", *_merit(series, among), is_late_echo, is_native, voxel, len(series.frames)


def _merit(series: Series, among: Sequence[Series]) -> tuple[bool, int, int]:
    """Return how well its kind of image shows discs and canal: fine enough, contrast, and how it was made."""
    rank = -_BY_MERIT.index(contrast(series).rstrip("?"))
    return not _is_coarse(series, among) and contrast(series) != "other", rank, _making(series, among)


def _making(series: Series, among: Sequence[Series]) -> int:
    """2 for images composed of several stations, 1 for what the scanner took, 0 for reformats and single shots."""
    described = read_description(series.protocol)
    kind = series.frames[0].kind
    if "COMPOSED" in kind or described.composed or _covers_stations(series, among):
        return _COMPOSED
    return 0 if "DERIVED" in kind[:1] or described.reformat or described.single_shot else 1


def _is_coarse(series: Series, among: Sequence[Series]) -> bool:
    """Return whether pixels or slices are as coarse as a localiser's, and clearly coarser than another series."""
    if _making(series, among) == _COMPOSED:
        return False
    sizes = [(float(np.sqrt(s.spacing[0] * s.spacing[1])), s.spacing[2]) for s in (series, *among)]
    (pixel, step), finest = sizes[0], np.min(sizes, axis=0)
    return bool(
        (pixel > max(_COARSE_PIXEL_MM, _COARSER * finest[0])) or (step > max(_COARSE_SLICE_MM, _COARSER * finest[1]))
    )
