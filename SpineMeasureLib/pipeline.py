"""The whole way from an image to the output folder, used by the command line and by the child process of Slicer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import DependencyError, DicomSeriesError, GeometryMismatchError
from .files import atomic_folder
from .measure.types import Measurement
from .progress import Progress, silent
from .segmentation import SpineSegmentation
from .volume import Volume, check_mri, read_volume, write_volume

if TYPE_CHECKING:
    from .export.report import ReportOptions
    from .results import Results

#: How far (mm) the grid of a label map may lie from the image's.
_SAME_GRID_MM = 0.05


@dataclass(frozen=True)
class Job:
    """What to do.

    :ivar labels: a label map to use instead of the model.
    :ivar convention: what its values are: ``"auto"``, ``"own"`` or a name of `segment.conventions`.
    :ivar subregions: SPINEPS's seg-spine mask beside its seg-vert mask.
    :ivar measure: False to stop after segmenting.
    :ivar picture: whether to draw overview.png (matplotlib).
    :ivar scene: whether to write scene.mrb and segmentation.seg.nrrd (slicer-core).
    :ivar dicom: whether a DICOM image gets DICOM SEG and SR beside the other outputs; they name the patient.
    """

    image: Path
    out: Path
    labels: Path | None = None
    series: str | None = None
    device: str = "auto"
    bundle: Path | None = None
    lowest_disc: str | None = None
    measure: bool = True
    picture: bool = True
    scene: bool = True
    dicom: bool = False
    convention: str = "auto"
    subregions: Path | None = None


@dataclass
class Result:
    """What came of it."""

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    files: list[str]
    warnings: list[str]
    seconds: dict[str, float] = field(default_factory=dict)


class _Clock:
    """Seconds per stage, in the order in which they were entered."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)


def run(job: Job, progress: Progress = silent) -> Result:
    """Read, segment (or take labels), measure, and write every output; all files appear together at the end.

    :raises SpineMeasureError: one of its subclasses; nothing is written then.
    """
    clock = _Clock()
    with clock.stage("read"):
        progress("read", 0.0, job.image.name)
        volume = read_volume(job.image, job.series)
        check_mri(volume)
    warnings = [str(w) for w in _listed(volume.meta.get("warnings"))]
    with clock.stage("segment"):
        segmentation = _segmentation(job, volume, progress)
    warnings += segmentation.warnings
    measurements: list[Measurement] = []
    if job.measure:
        from .measure import measure

        with clock.stage("measure"):
            measurements = measure(segmentation, progress)
    with atomic_folder(job.out) as folder:
        with clock.stage("write"):
            _write(job, folder, volume, segmentation, measurements, warnings, progress)
        _write_run(folder, job, volume, segmentation, warnings, clock.seconds)
        files = sorted(file.name for file in folder.iterdir())
    progress("done", 1.0, "")
    return Result(segmentation, measurements, files, warnings, clock.seconds)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _segmentation(job: Job, volume: Volume, progress: Progress) -> SpineSegmentation:
    if job.labels is None:
        from .segment import segment_volume

        return segment_volume(
            volume, bundle=job.bundle, device=job.device, lowest_disc=job.lowest_disc, progress=progress
        )
    from .segment.existing import segmentation_from_labels

    progress("labels", 0.0, job.labels.name)
    labels = on_grid_of(volume, read_volume(job.labels))
    subregions = on_grid_of(volume, read_volume(job.subregions)) if job.subregions else None
    segmentation = segmentation_from_labels(
        labels, lowest_disc=job.lowest_disc, convention=job.convention, subregions=subregions
    )
    return replace(segmentation, provenance={"labels": job.labels.name})


def on_grid_of(volume: Volume, labels: Volume) -> Volume:
    """The labels in the image's storage order, checked to lie on its voxels.

    Programs store the same voxels with axes in another order or direction; that is undone, nothing is resampled.

    :raises GeometryMismatchError: they lie elsewhere.
    """
    between = np.linalg.inv(volume.affine) @ labels.affine
    turn = np.rint(between[:3, :3])
    axes = np.abs(turn).argmax(axis=0)
    if sorted(axes) == [0, 1, 2] and np.abs(turn).sum() == 3:
        order = np.argsort(axes)
        array = labels.array.transpose(order)
        flipped = tuple(place for place, axis in enumerate(order) if turn[place, axis] < 0)
        affine = labels.affine @ _reordering(order, flipped, array.shape)
        array = np.ascontiguousarray(np.flip(array, flipped))
        if array.shape == volume.array.shape and _corner_distance(volume, affine) < _SAME_GRID_MM:
            return Volume(array, volume.affine, labels.meta)
    raise GeometryMismatchError(
        "The label map does not lie on the voxels of the image.", "Resample it to the image's geometry first."
    )


def _reordering(order: NDArray[np.intp], flipped: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """4x4, index into the reordered array to index into the stored one."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for place, axis in enumerate(order):
        matrix[axis, place] = -1 if place in flipped else 1
        matrix[axis, 3] = shape[place] - 1 if place in flipped else 0
    return matrix


def _corner_distance(volume: Volume, affine: NDArray[np.float64]) -> float:
    """How far (mm) two grids of the volume's shape lie apart at most."""
    corners = np.array([[i, j, k, 1.0] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners[:, :3] *= np.array(volume.array.shape) - 1
    return float(np.abs(corners @ (affine - volume.affine).T).max())


def _write(
    job: Job,
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    warnings: list[str],
    progress: Progress,
) -> None:
    from .export.tables import write_csv, write_json, write_labels

    progress("write", 0.0, "labels")
    write_volume(segmentation.as_volume(), folder / "labels.nii.gz")
    write_labels(segmentation, folder / "labels.json")
    if job.measure:
        write_csv(measurements, folder / "measurements.csv")
        write_json(measurements, provenance(segmentation), folder / "measurements.json")
    if job.scene:
        progress("write", 0.3, "scene")
        _write_scene(folder, volume, segmentation, measurements, warnings)
    if job.measure and job.picture:
        progress("write", 0.7, "picture")
        try:
            from .export.overview import write_overview
        except ImportError as error:
            warnings.append(f"No overview picture was drawn: the package '{error.name}' is not installed.")
        else:
            write_overview(volume, segmentation, measurements, folder / "overview.png")
    if job.dicom and volume.frames:
        progress("write", 0.9, "DICOM objects")
        try:
            write_dicom(folder, volume, segmentation, measurements)
        except (DependencyError, DicomSeriesError) as error:
            warnings.append(f"No DICOM objects were written. {error}")


def write_dicom(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    reviewer: str = "",
    organization: str = "",
) -> None:
    """Write segmentation.dcm and, where there are measurements, measurements.dcm. They belong to the image's study.

    :param reviewer: who accepts the case (``Family^Given``); empty leaves the report unverified.
    :raises DependencyError: highdicom is not installed.
    :raises DicomSeriesError: the images cannot be referred to.
    """
    from .export.dicom_seg import make_seg
    from .export.dicom_source import read_source, write_dataset
    from .export.dicom_sr import make_sr

    source = read_source(volume)
    seg = make_seg(segmentation, source, reviewer)
    write_dataset(seg, folder / "segmentation.dcm")
    if measurements:
        report = make_sr(measurements, segmentation, source, seg=seg, reviewer=reviewer, organization=organization)
        write_dataset(report, folder / "measurements.dcm")


def read_case_on(folder: Path, image: Path, series: str | None = None) -> tuple[Volume, Results]:
    """A measured case and the image it was measured on, its labels in the image's storage order.

    :raises InputNotFoundError: something is missing.
    :raises UnreadableInputError: the folder was not written by this program.
    :raises GeometryMismatchError: the image is another one.
    """
    from .results import read_results

    case = read_results(folder)
    volume = read_volume(image, series)
    labels = on_grid_of(volume, case.segmentation.as_volume())
    return volume, replace(case, segmentation=replace(case.segmentation, labels=labels.array, affine=labels.affine))


def write_report_files(folder: Path, volume: Volume, case: Results, options: ReportOptions, pdf: bool) -> None:
    """Write report.html, report.txt and, if asked, report.pdf.

    :raises DependencyError: no browser for the PDF.
    """
    from .export.pdf import write_pdf
    from .export.report import write_report
    from .export.report_text import report_text

    write_report(volume, case.segmentation, case.measurements, folder / "report.html", options)
    text = report_text(case.segmentation, case.measurements, options.accepted_by)
    (folder / "report.txt").write_text(text, encoding="ascii", errors="replace")
    if pdf:
        write_pdf(folder / "report.html", folder / "report.pdf")


def _write_scene(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    warnings: list[str],
) -> None:
    try:
        from .review.save import write_scene

        name = str(volume.meta.get("series") or "Spine")
        write_scene(volume, segmentation, measurements, folder / "scene.mrb", folder / "segmentation.seg.nrrd", name)
    except DependencyError as error:
        warnings.append(f"No Slicer scene was written. {error}")


def provenance(segmentation: SpineSegmentation) -> dict[str, object]:
    """Model, versions and anchor, stamped on every output."""
    from .export.runinfo import versions

    own: dict[str, object] = {"level_verified": segmentation.level_verified, "anchor": segmentation.anchor}
    return {**segmentation.provenance, **own, "versions": versions()}


def _write_run(
    folder: Path,
    job: Job,
    volume: Volume,
    segmentation: SpineSegmentation,
    warnings: list[str],
    seconds: dict[str, float],
) -> None:
    spacing = [round(s, 4) for s in volume.spacing]
    source: dict[str, object] = {"shape": list(volume.array.shape), "spacing_mm": spacing}
    if not volume.frames:  # names of DICOM folders and files may name the patient
        source["file"] = job.image.name
    source |= {k: volume.meta[k] for k in ("format", "modality", "series", "series_chosen") if k in volume.meta}
    content: dict[str, object] = {
        "input": source,
        **provenance(segmentation),
        "seconds": seconds,
        "warnings": warnings,
    }
    (folder / "run.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
