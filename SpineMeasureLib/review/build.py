"""A case built into a MRML scene: volume, named segments, one line per editable distance, table, folders.

Coordinates are RAS mm. What identifies a line (level, quantity, method, source, plane) is kept in node attributes:
markups overwrite their description, attributes stay with the scene.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..anatomy import Kind, code_of, colour_of, structure_info
from ..export.tables import COLUMNS, table_rows
from ..measure.definitions import definition
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from ..volume import Volume

ATTRIBUTE = "SpineMeasure."
TERMINOLOGY = "SpineMeasure"
_CATEGORY = "SCT^123037004^Anatomical structure"

#: By the beginning of the quantity; readable on the colours of the structures and on bright fluid.
_LINE_COLOURS = {
    "disc_height": (1.0, 0.85, 0.2),
    "disc_depth": (0.95, 0.55, 0.15),
    "canal_ap": (0.95, 0.3, 0.85),
    "body_height": (1.0, 0.75, 0.6),
}
_DOUBTFUL_COLOUR = (1.0, 0.25, 0.2)
_DOUBTFUL = {"low_confidence", "cut_by_field_of_view", "frame_fallback", "fused_or_absent_disc"}
#: Labels in the slice views: one per disc and one per vertebra, which do not cover each other.
_LABELLED = {("disc_height_middle", "chord50"), ("canal_ap", "mid_vertebral")}
_GLYPH_MM = 2.0


@dataclass(frozen=True)
class CaseNodes:
    """The nodes of one case.

    :ivar lines: by measurement key (level, quantity, method).
    """

    volume: Any
    segmentation: Any
    lines: dict[tuple[str, str, str], Any]
    table: Any
    folder: int


def build_case(
    scene: Any,
    volume: Volume,
    segmentation: SpineSegmentation,
    measurements: Sequence[Measurement],
    name: str = "Spine",
) -> CaseNodes:
    """Add a case to a scene.

    :param scene: vtkMRMLScene.
    """
    volume_node = add_volume(scene, volume, name)
    segmentation_node = add_segmentation(scene, segmentation, volume_node, f"{name} segmentation")
    lines = {m.key: add_line(scene, m) for m in measurements if is_line(m)}
    table = add_table(scene, measurements, f"{name} measurements")
    folder = arrange(scene, name, volume_node, segmentation_node, lines, table)
    segments = segmentation_node.GetSegmentation()
    for (level, quantity, _), node in lines.items():
        node.SetNodeReferenceID(f"{ATTRIBUTE}segmentation", segmentation_node.GetID())
        node.SetNodeReferenceID(f"{ATTRIBUTE}table", table.GetID())
        segment = segment_id(structure_info(Kind.CANAL, "").name if quantity.startswith("canal") else level)
        if segments.GetSegment(segment):
            node.SetAttribute(f"{ATTRIBUTE}segment", segment)
    return CaseNodes(volume_node, segmentation_node, lines, table, folder)


def is_line(measurement: Measurement) -> bool:
    """True for a distance that a reader may drag."""
    editable = definition(measurement.quantity, measurement.method).editable
    return editable and None not in (measurement.value, measurement.p1, measurement.p2)


def _image_data(array: NDArray[Any], kind: Any) -> Any:
    from vtkmodules.util.numpy_support import numpy_to_vtk

    image = kind()
    image.SetDimensions(*array.shape)
    flat = np.ascontiguousarray(array.transpose(2, 1, 0)).ravel()
    scalars = numpy_to_vtk(flat, deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def _matrix(affine: NDArray[np.float64]) -> Any:
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel().tolist())
    return matrix


def add_volume(scene: Any, volume: Volume, name: str) -> Any:
    """The image as a scalar volume node."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    array = volume.array
    if array.dtype == np.bool_ or array.dtype == np.float16:
        array = array.astype(np.float32)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(_image_data(array, vtkImageData))
    node.SetIJKToRASMatrix(_matrix(volume.affine))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    low, high = np.percentile(array[:: max(1, array.shape[0] // 8)], (1, 99.5))
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(low), float(max(high, low + 1)))
    grey = scene.GetFirstNodeByName("Grey")
    if grey:
        display.SetAndObserveColorNodeID(grey.GetID())
    return node


def add_segmentation(scene: Any, segmentation: SpineSegmentation, volume_node: Any, name: str) -> Any:
    """One segment per structure, all in one shared label map, with colours and terminology."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    labelmap = _image_data(segmentation.labels, slicer.vtkOrientedImageData)
    labelmap.SetGeometryFromImageToWorldMatrix(_matrix(segmentation.affine))
    for structure in segmentation.structures:
        segment = slicer.vtkSegment()
        segment.SetName(structure.name)
        # Else Slicer may replace name and colour by those of the terminology entry.
        segment.SetNameAutoGenerated(False)
        segment.SetColorAutoGenerated(False)
        segment.SetColor(*(c / 255 for c in colour_of(structure.kind, structure.level)))
        segment.SetLabelValue(structure.value)
        segment.AddRepresentation("Binary labelmap", labelmap)
        segment.SetTag(
            slicer.vtkSegment.GetTerminologyEntryTagName(), terminology_entry(structure.kind, structure.level)
        )
        segment.SetTag(f"{ATTRIBUTE}kind", structure.kind.value)
        segment.SetTag(f"{ATTRIBUTE}level", structure.level)
        if structure.confidence is not None:
            segment.SetTag(f"{ATTRIBUTE}confidence", f"{structure.confidence:.3f}")
        if structure.flags:
            segment.SetTag(f"{ATTRIBUTE}flags", ",".join(structure.flags))
        node.GetSegmentation().AddSegment(segment, segment_id(structure.name))
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(0.25)
    display.SetOpacity2DOutline(0.9)
    for structure in segmentation.of_kind(Kind.POSTERIOR):
        display.SetSegmentOpacity3D(segment_id(structure.name), 0.6)
    return node


def segment_id(name: str) -> str:
    """Stable id of a segment: its name without blanks."""
    return name.replace(" ", "_")


def terminology_entry(kind: Kind, level: str) -> str:
    """Slicer's serialised terminology entry of a structure, in the terminology that this project ships."""
    code = code_of(kind, level)
    return f"{TERMINOLOGY}~{_CATEGORY}~{code.scheme}^{code.value}^{code.meaning}~^^~~^^~^^|"


def add_line(scene: Any, measurement: Measurement) -> Any:
    """A two-point line to be moved by its end points, named after level and quantity, with what it measures."""
    from vtkmodules.vtkCommonDataModel import vtkVector3d

    assert measurement.p1 is not None and measurement.p2 is not None
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", line_name(measurement))
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(vtkVector3d(*measurement.p1), "1")
    node.AddControlPoint(vtkVector3d(*measurement.p2), "2")
    node.SetFixedNumberOfControlPoints(True)
    automatic = measurement.automatic or measurement
    facts = {
        "level": measurement.level,
        "quantity": measurement.quantity,
        "method": measurement.method,
        "unit": measurement.unit,
        "source": measurement.source,
        "flags": " ".join(measurement.flags),
        "boundary": measurement.boundary,
        "automaticValue": repr(automatic.value),
        "automaticPoints": json.dumps([automatic.p1, automatic.p2]),
    }
    if measurement.plane is not None:
        facts["plane"] = json.dumps(asdict(measurement.plane))
    if measurement.confidence is not None:
        facts["confidence"] = f"{measurement.confidence:.3f}"
    for key, text in facts.items():
        node.SetAttribute(ATTRIBUTE + key, text)
    _show_line(node.GetDisplayNode(), measurement)
    return node


def line_name(measurement: Measurement) -> str:
    """``"L4-L5 disc height middle"``; Slicer shows it before the value."""
    title = definition(measurement.quantity, measurement.method).title.replace(",", "")
    return f"{measurement.level} {title[0].lower()}{title[1:]}"


def _show_line(display: Any, measurement: Measurement) -> None:
    family = next((k for k in _LINE_COLOURS if measurement.quantity.startswith(k)), "disc_height")
    colour = _DOUBTFUL_COLOUR if _DOUBTFUL.intersection(measurement.flags) else _LINE_COLOURS[family]
    for setter in (display.SetColor, display.SetSelectedColor):
        setter(*colour)
    # Fine crosses of a fixed size, so that the end points can be seen and set exactly.
    display.SetGlyphType(display.CrossDot2D)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(_GLYPH_MM)
    display.SetLineThickness(0.2)
    display.SetTextScale(1.8)
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility((measurement.quantity, measurement.method) in _LABELLED)
    # A line dragged whole by accident is no longer where it was measured: no handles for that. What remains is the
    # middle button on the line itself, which only an observer of the nodes can take back.
    display.SetHandlesInteractive(False)
    display.SetTranslationHandleVisibility(False)
    display.SetRotationHandleVisibility(False)
    display.SetScaleHandleVisibility(False)
    # Shown on its own slice, not projected on the neighbouring ones.
    display.SetSliceProjection(False)


def add_table(scene: Any, measurements: Sequence[Measurement], name: str) -> Any:
    """Every row as a MRML table, columns as in measurements.csv."""
    from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkStringArray

    rows = table_rows(measurements)
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    changing = node.StartModify()
    for place, (column, numeric) in enumerate(COLUMNS):
        array = vtkDoubleArray() if numeric else vtkStringArray()
        array.SetName(column)
        for values in rows:
            value = values[place]
            array.InsertNextValue(_cell(value, numeric))
        node.AddColumn(array)
    node.SetLocked(True)
    node.EndModify(changing)
    return node


def _cell(value: str | float | None, numeric: bool) -> Any:
    if numeric:
        return float("nan") if value is None else float(value)
    return str(value)


def arrange(
    scene: Any, name: str, volume: Any, segmentation: Any, lines: dict[tuple[str, str, str], Any], table: Any
) -> int:
    """Subject hierarchy: a folder for the case, in it volume, segmentation, table and the lines by level.

    :return: the case's item.
    """
    import slicer

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    case = tree.CreateFolderItem(tree.GetSceneItemID(), name)
    for node in (volume, segmentation, table):
        tree.SetItemParent(tree.CreateItem(case, node), case)
    measured = tree.CreateFolderItem(case, "Lines")
    folders: dict[str, int] = {}
    for (level, _, _), node in lines.items():
        if level not in folders:
            folders[level] = tree.CreateFolderItem(measured, level)
        tree.SetItemParent(tree.CreateItem(folders[level], node), folders[level])
    for item in (measured, *folders.values()):
        tree.SetItemExpanded(item, False)
    return int(case)
