"""The whole way from an image to the output folder, for the command line and for the child process of Slicer.

Read from the top: `run` calls what follows it, in this order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .case_folder import (
    KEPT,
    LABEL_NAMES,
    LABELS,
    OUTPUTS,
    OVERVIEW,
    SCENE,
    SEGMENTATION,
    earlier_outputs,
    provenance,
    require_unreviewed,
    run_content,
    write_run,
    write_values,
    writing,
)
from .errors import OutputError, SpineMeasureError
from .field_of_view import mark_cut
from .files import require_place
from .io.checks import check_mri
from .io.read import read_volume
from .io.write import write_volume
from .measure.definitions import EndsOn, shown_first
from .measure.types import Measurement
from .progress import Progress, silent
from .segment.naming.levels import parse_disc
from .segmentation import SpineSegmentation
from .volume import Volume

#: Bytes that the outputs take without the image, and the part of the size of the image that it takes compressed (sample
#: and public scans: 0.43 to 0.67; less with much air around the body).
_SPACE, _COMPRESSED = 2**20, 0.3


@dataclass(frozen=True)
class Job:
    """What to do.

    :ivar labels: a label map to use instead of the model.
    :ivar convention: meaning of its values: ``"auto"``, ``"own"`` or a name of `segment.labels.conventions`.
    :ivar subregions: SPINEPS's seg-spine mask that belongs to the seg-vert mask.
    :ivar disc_points: a file of points that name the discs (`segment.labels.disc_points`).
    :ivar write_conventions: programs (`segment.labels.written.WRITTEN`) in whose values labels are also written.
    :ivar replace_review: whether a case that was edited in a review may be replaced.
    :ivar ends: what the ends of the lines that are shown first lie on; see `measure.definitions.shown_first`.
    :ivar measure: False to stop after segmenting.
    :ivar picture: whether to draw overview.png (matplotlib).
    :ivar scene: whether to write scene.mrb and segmentation.seg.nrrd (slicer-core).
    :ivar dicom: whether to write DICOM SEG and SR if the image is DICOM; they name the patient.
    """

    image: Path
    out: Path
    labels: Path | None = None
    series: str | None = None
    device: str = "auto"
    bundle: Path | None = None
    lowest_disc: str | None = None
    ends: EndsOn = "edges"
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
    """A measured case.

    :ivar files: names of the files in the output folder.
    :ivar seconds: per stage, in the order of the stages.
    """

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    files: list[str]
    warnings: list[str]
    seconds: dict[str, float] = field(default_factory=dict)


def run(job: Job, progress: Progress = silent) -> Result:
    """Read, segment (or take labels), measure, and write every output; all files appear together at the end.

    What an earlier run left in the output folder is replaced as a whole: what this one does not write is removed.

    :raises ReviewedCaseError: the output folder contains a review, and `job.replace_review` is False.
    :raises SpineMeasureError: one of its subclasses; nothing is written then.
    """
    if job.lowest_disc:
        parse_disc(job.lowest_disc)  # before the work: the model takes minutes
    require_place(job.out, OUTPUTS)
    if not job.replace_review:
        require_unreviewed(job.out)
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        progress("read", 0.0, job.image.name)
        volume = read_volume(job.image, job.series)
        check_mri(volume)
    require_place(job.out, needed=_space_needed(job, volume))
    result = _measured(job, volume, seconds, progress)
    with writing(job.out, _outdated(job)) as folder:
        with _timed(seconds, "write"):
            _write(job, folder, volume, result, progress)
        progress("write", 1.0, "")
        write_run(folder, run_content(volume, result.segmentation, result.warnings, seconds))
        result.files += sorted(file.name for file in folder.iterdir())
    # Kept for the scene that was replaced. Until now these were the only copy of somebody's edits.
    (job.out / KEPT).unlink(missing_ok=True)
    progress("done", 1.0, "")
    return result


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)


def _space_needed(job: Job, volume: Volume) -> int:
    """Return about how many bytes the outputs take; the scene contains the compressed image."""
    return int(_SPACE + volume.array.nbytes * (_COMPRESSED if job.scene else 0))


def _measured(job: Job, volume: Volume, seconds: dict[str, float], progress: Progress) -> Result:
    with _timed(seconds, "segment"):
        found = mark_cut(_segmentation(job, volume, progress), volume.outside)
    segmentation = replace(found, provenance={**found.provenance, "case_id": volume.case_id})
    measurements: list[Measurement] = []
    if job.measure:
        from .measure import measure

        with _timed(seconds, "measure"):
            measurements = shown_first(measure(segmentation, volume, progress), job.ends)
    stated = volume.meta.get("warnings")
    warnings = [str(warning) for warning in stated] if isinstance(stated, (list, tuple)) else []
    return Result(segmentation, measurements, [], [*warnings, *segmentation.warnings], seconds)


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
    from .field_of_view import mark_cut_by_file
    from .io.label_file import read_label_file
    from .segment.labels.by_name import segmentation_from_segments
    from .segment.labels.by_value import segmentation_from_labels
    from .segment.labels.plausible import check_anatomy

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
    return mark_cut_by_file(replace(segmentation, provenance={"labels": "given by the user"}), outside)


def _outdated(job: Job) -> list[str]:
    """Return the files of an earlier run in the output folder, except those that this run was made from."""
    sources = [path.resolve() for path in (job.image, job.labels, job.subregions, job.disc_points) if path]
    return [name for name in earlier_outputs(job.out) if (job.out / name).resolve() not in sources]


def _write(job: Job, folder: Path, volume: Volume, result: Result, progress: Progress) -> None:
    _write_tables(job, folder, volume, result, progress)
    if job.scene:
        progress("write", 0.7, "scene")
        with _optional("Slicer scene was", result):
            from .review.mrml.save import write_scene

            name = str(volume.meta.get("series") or "Spine")
            write_scene(volume, result.segmentation, result.measurements, folder / SCENE, folder / SEGMENTATION, name)
    if job.dicom and not volume.frames:
        result.warnings.append("No DICOM objects were written: the image is not DICOM.")
    elif job.dicom:
        progress("write", 0.9, "DICOM objects")
        with _optional("DICOM objects were", result):
            from .export.case_files import write_dicom

            result.warnings += write_dicom(folder, volume, result.segmentation, result.measurements)


@contextmanager
def _optional(what: str, result: Result) -> Iterator[None]:
    """Turn an error into a warning: the other outputs are not lost for it. A disk that refuses a file ends the run."""
    try:
        yield
    except OutputError:
        raise
    except SpineMeasureError as error:
        result.warnings.append(f"No {what} written. {error}")
    except Exception as error:
        result.warnings.append(f"No {what} written: an unexpected error occurred ({type(error).__name__}).")


def _write_tables(job: Job, folder: Path, volume: Volume, result: Result, progress: Progress) -> None:
    """Write everything but the scene and DICOM objects: labels, tables, picture."""
    from .export.tables import write_labels
    from .segment.labels.written import written_in, written_name

    segmentation = result.segmentation
    progress("write", 0.0, "labels")
    write_volume(segmentation.as_volume(), folder / LABELS)
    write_labels(segmentation, folder / LABEL_NAMES)
    for name in job.write_conventions:
        labels, missing = written_in(segmentation, name)
        write_volume(labels, folder / written_name(name))
        result.warnings += missing
    if not job.measure:
        return
    write_values(folder, result.measurements, provenance(segmentation), volume.case_id)
    if job.picture:
        progress("write", 0.3, "picture")
        try:
            from .export.overview import write_overview
        except ImportError as error:
            result.warnings.append(f"No overview picture was created: the package '{error.name}' is not installed.")
        else:
            write_overview(volume, segmentation, result.measurements, folder / OVERVIEW)
