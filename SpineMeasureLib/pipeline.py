"""The whole way from an image to the output folder, used by the command line and by the child process of Slicer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .background import mark_cut
from .case_folder import KEPT, OUTPUTS, earlier_outputs, require_unedited, require_unreviewed, write_run, writing
from .errors import DependencyError, GeometryMismatchError, SpineMeasureError
from .files import require_place
from .grid import segmentation_on
from .io.same_image import statement
from .measure.types import Measurement
from .progress import Progress, silent
from .review.mrml.process import SCENE, SEGMENTATION, SceneProcess, scene_process
from .segment.naming.levels import parse_disc
from .segmentation import SpineSegmentation
from .volume import Volume, check_mri, read_volume, write_volume

if TYPE_CHECKING:
    from .results import Results

#: Bytes that the outputs take without the image, and to what part of its size that is compressed (sample and public
#: scans: 0.43 to 0.67; less with much air around the body).
_SPACE, _COMPRESSED = 2**20, 0.3


@dataclass(frozen=True)
class Job:
    """What to do.

    :ivar labels: a label map to use instead of the model.
    :ivar convention: what its values are: ``"auto"``, ``"own"`` or a name of `segment.labels.conventions`.
    :ivar subregions: SPINEPS's seg-spine mask beside its seg-vert mask.
    :ivar disc_points: a file of points that name the discs (`segment.labels.disc_points`).
    :ivar write_conventions: of other programs (`segment.labels.written.WRITTEN`): labels are written in theirs too.
    :ivar replace_review: whether a case that was edited in a review may be replaced.
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
    disc_points: Path | None = None
    write_conventions: tuple[str, ...] = ()
    replace_review: bool = False


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

    What an earlier run left in the output folder is replaced as a whole: what this one does not write is removed.

    :raises ReviewedCaseError: the output folder contains a review, and `job.replace_review` is False.
    :raises SpineMeasureError: one of its subclasses; nothing is written then.
    """
    if job.lowest_disc:
        parse_disc(job.lowest_disc)  # before the work: the model takes minutes
    clock = _Clock()
    require_place(job.out, OUTPUTS)
    if not job.replace_review:
        require_unreviewed(job.out)
    with clock.stage("read"):
        progress("read", 0.0, job.image.name)
        volume = read_volume(job.image, job.series)
        check_mri(volume)
    require_place(job.out, needed=_space_needed(job, volume))
    with scene_process(job.scene) as scene:
        return _run_on(volume, job, scene, clock, progress)


def _run_on(volume: Volume, job: Job, scene: SceneProcess, clock: _Clock, progress: Progress) -> Result:
    warnings = [str(w) for w in _listed(volume.meta.get("warnings"))]
    with clock.stage("segment"):
        segmentation = mark_cut(_segmentation(job, volume, progress), volume.outside)
    segmentation = replace(segmentation, provenance={**segmentation.provenance, "case_id": volume.case_id})
    warnings += segmentation.warnings
    measurements: list[Measurement] = []
    if job.measure:
        from .measure import measure

        with clock.stage("measure"):
            measurements = measure(segmentation, progress)
    with writing(job.out, _outdated(job)) as folder:
        with clock.stage("write"):
            _write(job, folder, volume, segmentation, measurements, scene, warnings, progress)
        progress("write", 1.0, "")
        _write_run(folder, volume, segmentation, warnings, clock.seconds)
        files = sorted(file.name for file in folder.iterdir())
    # Kept for the scene that was replaced. Before that moment it was all that was left of somebody's edits.
    (job.out / KEPT).unlink(missing_ok=True)
    progress("done", 1.0, "")
    return Result(segmentation, measurements, files, warnings, clock.seconds)


def _space_needed(job: Job, volume: Volume) -> int:
    """Bytes that the outputs take about; the image is a part of the scene, compressed."""
    return int(_SPACE + volume.array.nbytes * (_COMPRESSED if job.scene else 0))


def _outdated(job: Job) -> list[str]:
    """What an earlier run left in the output folder, but for what this one was made from."""
    sources = [path.resolve() for path in (job.image, job.labels, job.subregions, job.disc_points) if path]
    return [name for name in earlier_outputs(job.out) if (job.out / name).resolve() not in sources]


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _segmentation(job: Job, volume: Volume, progress: Progress) -> SpineSegmentation:
    from .segment.labels.disc_points import named_by_points, read_disc_points

    points = read_disc_points(job.disc_points) if job.disc_points else ()
    if job.labels is None:
        from .segment import segment_volume

        return segment_volume(
            volume,
            bundle=job.bundle,
            device=job.device,
            lowest_disc=job.lowest_disc,
            disc_points=points,
            progress=progress,
        )
    from .io.label_file import read_label_file
    from .segment.labels.by_name import segmentation_from_segments
    from .segment.labels.by_value import segmentation_from_labels
    from .segment.labels.plausible import check_anatomy
    from .unseen import mark_unseen

    progress("labels", 0.0, job.labels.name)
    file = read_label_file(job.labels, volume)
    subregions = read_label_file(job.subregions, volume).single() if job.subregions else None
    outside = file.volume.outside
    if subregions is not None and subregions.outside is not None:
        outside = subregions.outside if outside is None else outside | subregions.outside

    def named(lowest: str | None) -> SpineSegmentation:
        if file.segments and job.convention == "auto" and not subregions:
            return segmentation_from_segments(file, lowest_disc=lowest)
        by_value = segmentation_from_labels(
            file.single(), lowest_disc=lowest, convention=job.convention, subregions=subregions
        )
        return replace(by_value, warnings=(*file.warnings, *by_value.warnings))

    segmentation = named_by_points(named, points, job.lowest_disc)
    check_anatomy(segmentation)
    return mark_unseen(replace(segmentation, provenance={"labels": "given by the user"}), outside)


def _write(
    job: Job,
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    scene: SceneProcess,
    warnings: list[str],
    progress: Progress,
) -> None:
    name = str(volume.meta.get("series") or "Spine")
    with scene.writing(folder, volume, segmentation, measurements, name):
        _write_tables(job, folder, volume, segmentation, measurements, warnings, progress)
    if job.scene and not scene.done:
        progress("write", 0.7, "scene")
        _write_scene(folder, volume, segmentation, measurements, name, warnings)
    if job.dicom and not volume.frames:
        warnings.append("No DICOM objects were written: the image is not DICOM.")
    elif job.dicom:
        from .export.case_files import write_dicom

        progress("write", 0.9, "DICOM objects")
        try:
            warnings += write_dicom(folder, volume, segmentation, measurements)
        except SpineMeasureError as error:
            warnings.append(f"No DICOM objects were written. {error}")
        except Exception as error:  # the other results are not lost for it
            warnings.append(f"No DICOM objects were written: something unexpected went wrong ({type(error).__name__}).")


def _write_tables(
    job: Job,
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    warnings: list[str],
    progress: Progress,
) -> None:
    """Everything but the scene and DICOM objects: labels, tables, picture."""
    from .export.tables import write_csv, write_json, write_labels
    from .segment.labels.written import written_in, written_name

    progress("write", 0.0, "labels")
    write_volume(segmentation.as_volume(), folder / "labels.nii.gz")
    write_labels(segmentation, folder / "labels.json")
    for name in job.write_conventions:
        labels, missing = written_in(segmentation, name)
        write_volume(labels, folder / written_name(name))
        warnings += missing
    if not job.measure:
        return
    write_csv(measurements, folder / "measurements.csv", volume.case_id)
    write_json(measurements, provenance(segmentation), folder / "measurements.json")
    if job.picture:
        progress("write", 0.3, "picture")
        try:
            from .export.overview import write_overview
        except ImportError as error:
            warnings.append(f"No overview picture was drawn: the package '{error.name}' is not installed.")
        else:
            write_overview(volume, segmentation, measurements, folder / "overview.png")


def read_case_on(folder: Path, image: Path, series: str | None = None) -> tuple[Volume, Results]:
    """A measured case and the image it was measured on, its labels in the image's storage order.

    :raises InputNotFoundError: something is missing.
    :raises UnreadableInputError: the folder was not written by this program.
    :raises UnfinishedCaseError: it was not written to its end, or was changed since.
    :raises GeometryMismatchError: the image is another one.
    :raises ReviewedCaseError: the scene was edited since, and the tables were not.
    """
    from .results import read_results, require_image

    require_unedited(folder)
    case = read_results(folder)
    volume = read_volume(image, series)
    try:
        require_image(folder, volume)
        return volume, replace(case, segmentation=segmentation_on(volume, case.segmentation))
    except GeometryMismatchError as error:
        raise GeometryMismatchError(
            f"{folder.name} was not measured on this image.",
            "Name the image that it was measured on and, of a study, its --series.",
        ) from error


def _write_scene(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: list[Measurement],
    name: str,
    warnings: list[str],
) -> None:
    try:
        from .review.mrml.save import write_scene

        write_scene(volume, segmentation, measurements, folder / SCENE, folder / SEGMENTATION, name)
    except DependencyError as error:
        warnings.append(f"No Slicer scene was written. {error}")


def provenance(segmentation: SpineSegmentation) -> dict[str, object]:
    """Model, versions and anchor, stamped on every output."""
    from .export.runinfo import versions

    own: dict[str, object] = {"level_verified": segmentation.level_verified, "anchor": segmentation.anchor}
    return {**segmentation.provenance, **own, "versions": versions()}


def _write_run(
    folder: Path,
    volume: Volume,
    segmentation: SpineSegmentation,
    warnings: list[str],
    seconds: dict[str, float],
) -> None:
    spacing = [round(s, 4) for s in volume.spacing]
    # Neither file nor folder is named: both may name the patient.
    source: dict[str, object] = {
        "spacing_mm": spacing,
        **statement(volume),
    }
    source |= {k: volume.meta[k] for k in ("format", "modality", "series", "series_chosen") if k in volume.meta}
    content: dict[str, object] = {
        "input": source,
        **provenance(segmentation),
        "seconds": seconds,
        "warnings": warnings,
    }
    write_run(folder, content)
