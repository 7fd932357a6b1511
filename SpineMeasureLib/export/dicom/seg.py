"""segmentation.dcm: a DICOM Segmentation with one coded segment per structure, referring to the source images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...anatomy import code_of, colour_of
from ...segmentation import EDITED, SpineSegmentation, Structure
from .codes import ANATOMICAL_STRUCTURE
from .source import CHARACTERS, DicomSource, algorithm_of, concept, equipment, missing_package, person_name

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription

#: Which of the derived series the segmentation is.
_NTH_SERIES = 1


def make_seg(segmentation: SpineSegmentation, source: DicomSource, reviewer: str = "") -> Segmentation:
    """A binary DICOM Segmentation (PS3.3 A.51) on the voxels of the source images.

    :param source: the images, in the order of the label array's k.
    :param reviewer: who reviewed the segments (``Family^Given``); all segments then count as semi-automatic,
        else only edited ones.
    :return: highdicom's object, a pydicom dataset; segment numbers follow the order of the structures.
    :raises DependencyError: highdicom is not installed.
    """
    try:
        from highdicom import UID
        from highdicom.seg import Segmentation
    except ImportError as error:
        raise missing_package(error) from error
    table = np.zeros(256, np.uint8)
    for number, structure in enumerate(segmentation.structures, start=1):
        table[structure.value] = number
    automatic = "model" in segmentation.provenance and not reviewer
    seg = Segmentation(
        source_images=source.images,
        pixel_array=source.in_frame_order(table[segmentation.labels]),
        segmentation_type="BINARY",
        segment_descriptions=[
            _describe(number, structure, segmentation.provenance, automatic)
            for number, structure in enumerate(segmentation.structures, start=1)
        ],
        series_instance_uid=UID(),
        series_number=source.series_number(_NTH_SERIES),
        sop_instance_uid=UID(),
        instance_number=1,
        content_label="SPINE",
        content_description="Vertebrae, discs and canal",
        content_creator_name=person_name(reviewer) if reviewer else None,
        series_description="SpineMeasure segmentation",
        **equipment(segmentation.provenance),
    )
    seg.SpecificCharacterSet = CHARACTERS
    return seg


def _describe(number: int, structure: Structure, provenance: dict[str, object], automatic: bool) -> SegmentDescription:
    from highdicom import UID, AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    name, version, parameters = algorithm_of(provenance)
    family = codes.cid7162.ArtificialIntelligence if "model" in provenance else codes.cid7162.ManualProcessing
    return SegmentDescription(
        segment_number=number,
        segment_label=structure.name,
        segmented_property_category=concept(ANATOMICAL_STRUCTURE),
        segmented_property_type=concept(code_of(structure.kind, structure.level)),
        algorithm_type="AUTOMATIC" if automatic and EDITED not in structure.flags else "SEMIAUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(name, family, version, parameters=parameters or None),
        tracking_uid=UID(),
        tracking_id=structure.name,
        display_color=CIELabColor.from_rgb(*colour_of(structure.kind, structure.level)),
    )
