"""Measuring: named structures in, `Measurement` rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NothingFoundError
from ..progress import Progress, silent
from .definitions import Definition, methods, shown_first
from .types import Measurement

if TYPE_CHECKING:
    from ..segmentation import SpineSegmentation
    from ..volume import Volume
    from .spine import Spine

__all__ = ["Definition", "Measurement", "measure", "measure_spine", "methods"]


def measure(
    segmentation: SpineSegmentation, image: Volume | None = None, progress: Progress = silent
) -> list[Measurement]:
    """Measure every disc, body and canal level of a case.

    >>> from SpineMeasureLib.resources import data_path
    >>> from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
    >>> from SpineMeasureLib.io.read import read_volume
    >>> labels = read_volume(data_path("Resources/sample/lumbar_t2_labels.nii.gz"))
    >>> rows = {row.key: row for row in measure(segmentation_from_labels(labels))}
    >>> middle = rows["L4-L5", "disc_height_middle", "chord50"]
    >>> round(middle.value, 1), middle.unit, middle.source
    (7.3, 'mm', 'automatic')

    :param segmentation: named structures.
    :param image: in the same space, on any voxels; without it, or if it shows none of the structures, lines end on the
        boundaries of the masks only.
    :return: rows by level, discs before bodies, each from head to sacrum; a value that cannot be measured keeps its
        row, empty, with the reason.
    :raises NothingFoundError: the segmentation contains no disc and no vertebra.
    """
    from .confidence import with_confidence
    from .spine import Spine

    progress("measure", 0.0, "frames")
    rows = measure_spine(Spine(segmentation, image), progress)
    if segmentation.certainty is None:
        return rows
    return with_confidence(rows, segmentation.affine, segmentation.certainty)


def measure_spine(spine: Spine, progress: Progress = silent) -> list[Measurement]:
    """As `measure`, for a case with frames that are already built."""
    from .alignment import measure_alignment
    from .canal import lumens, measure_canal, torg_pavlov
    from .disc import measure_disc
    from .edge_rows import body_edge_rows, derived_edge_rows, disc_edge_rows
    from .reference import with_reference
    from .vertebra import crush_ratios, measure_body, measure_slip

    if not spine.discs and not spine.bodies:
        raise NothingFoundError("There are no discs or vertebrae to measure.", "Check the label map.")
    rows: list[Measurement] = []
    pieces = [(True, level, disc) for level, disc in spine.discs.items() if disc]
    pieces += [(False, level, body) for level, body in spine.bodies.items() if body]
    for done, (is_disc, level, piece) in enumerate(pieces):
        progress("measure", done / len(pieces), level)
        if is_disc:
            rows += disc_edge_rows(spine, level, piece)
            rows += measure_disc(spine, level, piece)
            rows += [r for of in lumens(spine) for r in measure_canal(spine, level, piece, "disc_level", of)]
            rows += measure_slip(level, piece)
        else:
            rows += body_edge_rows(spine, level, piece)
            rows += measure_body(level, piece)
            rows += [r for of in lumens(spine) for r in measure_canal(spine, level, piece, "mid_vertebral", of)]
    rows += derived_edge_rows(spine, rows)
    rows += crush_ratios(spine, rows)
    rows += torg_pavlov(spine, rows)
    rows += measure_alignment(spine.discs, spine.bodies)
    places = {level: place for place, level in enumerate(dict.fromkeys(r.level for r in rows))}
    rows.sort(key=lambda r: places[r.level])
    progress("measure", 1.0, f"{len(rows)} values")
    return shown_first(with_reference(r) for r in rows)
