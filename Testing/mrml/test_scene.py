"""The scene and segmentation files hold what was measured: read back through slicer-core, in a fresh process too."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SpineMeasureLib.anatomy import Kind, code_of, colour_of, vertebra_value
from SpineMeasureLib.measure.types import Measurement, Plane
from SpineMeasureLib.segment.instances import list_structures
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

SHAPE = (9, 40, 60)


def oblique(left_handed: bool) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [14, -8, 21], degrees=True).as_matrix() * [4.0, 0.7, 0.7]
    affine[:3, 3] = [-15.0, 22.5, -310.0]
    if left_handed:
        affine[:3, 0] *= -1
    return affine


def case(left_handed: bool = False) -> tuple[Volume, SpineSegmentation, list[Measurement]]:
    affine = oblique(left_handed)
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:7, 10:30, 5:20] = vertebra_value("L5")
    labels[2:7, 10:30, 20:26] = 100 + vertebra_value("L4")
    labels[2:7, 10:30, 26:42] = vertebra_value("L4")
    labels[2:7, 2:8, :] = 61
    image = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 700).astype(np.int16)
    structures = list_structures(labels, affine, ("L4", "L5"), np.full(SHAPE, 230, np.uint8))
    segmentation = SpineSegmentation(labels, affine, structures, True, "sacrum")
    plane = Plane((1.0, 2.0, 3.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    top, bottom = (1.25, 30.5, -290.0), (1.5, 31.0, -298.0)
    length = float(np.linalg.norm(np.subtract(top, bottom)))
    rows = [
        Measurement("L4-L5", "disc_height_middle", "chord50", length, "mm", top, bottom, plane, confidence=0.9),
        Measurement("L4-L5", "canal_ap", "disc_level", 5.0, "mm", (0, 0, -300), (0, -5, -300), plane, "dural_sac"),
        Measurement("L4-L5", "disc_area", "area", 321.5, "mm2", plane=plane, flags=("few_slices",)),
        Measurement("L4", "body_height_middle", "chord50", None, "mm", flags=("not_measurable",), note="cut"),
    ]
    return Volume(image, affine), segmentation, rows


@pytest.fixture(params=[False, True], ids=["right-handed", "left-handed"])
def written(request: pytest.FixtureRequest, tmp_path: Path, application: Any) -> Any:
    from SpineMeasureLib.review.save import write_scene

    volume, segmentation, rows = case(request.param)
    write_scene(volume, segmentation, rows, tmp_path / "scene.mrb", tmp_path / "spine.seg.nrrd", "T2 sag")
    return tmp_path, volume, segmentation, rows


def matrix_of(node: Any) -> np.ndarray:
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def segment_points(node: Any, name: str) -> np.ndarray:
    """RAS centres of the voxels of a segment, sorted."""
    import slicer
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(name, image)
    extent = image.GetExtent()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    index = np.argwhere(array.transpose(2, 1, 0) > 0) + [extent[0], extent[2], extent[4]]
    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    points = index @ affine[:3, :3].T + affine[:3, 3]
    return points[np.lexsort(np.round(points, 2).T)]


def test_volume_comes_back_in_its_place(written: Any, scene: Any) -> None:
    folder, volume, _, _ = written
    assert scene.ReadFromMRB(str(folder / "scene.mrb"), True)
    node = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    array = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars()).reshape(SHAPE[::-1]).transpose(2, 1, 0)
    # Slicer's reader turns a left-handed grid round; what counts is the value at every place.
    index = np.argwhere(np.ones(SHAPE, bool))
    points = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    inverse = np.linalg.inv(matrix_of(node))
    there = points @ inverse[:3, :3].T + inverse[:3, 3]
    np.testing.assert_allclose(there, np.round(there), atol=1e-3)
    assert np.array_equal(array[tuple(np.round(there).astype(int).T)], volume.array[tuple(index.T)])


@pytest.mark.parametrize("source", ["scene.mrb", "spine.seg.nrrd"])
def test_segments_come_back_voxel_for_voxel_with_names_colours_and_codes(written: Any, scene: Any, source: str) -> None:
    folder, _, segmentation, _ = written
    if source == "scene.mrb":
        assert scene.ReadFromMRB(str(folder / source), True)
        node = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    else:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "read")
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(folder / source))
        assert storage.ReadData(node)
    segments = node.GetSegmentation()
    assert segments.GetNumberOfSegments() == len(segmentation.structures)
    for n, structure in enumerate(segmentation.structures):
        segment = segments.GetNthSegment(n)
        assert segment.GetName() == structure.name
        colour = [c / 255 for c in colour_of(structure.kind, structure.level)]
        assert segment.GetColor() == pytest.approx(colour, abs=0.003)
        assert code_of(structure.kind, structure.level).value in segment.GetTerminology()
        points = np.argwhere(segmentation.mask(structure)) @ segmentation.affine[:3, :3].T + segmentation.affine[:3, 3]
        expected = points[np.lexsort(np.round(points, 2).T)]
        found = segment_points(node, segments.GetNthSegmentID(n))
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_lines_come_back_with_length_place_and_provenance(written: Any, scene: Any) -> None:
    folder, _, _, rows = written
    assert scene.ReadFromMRB(str(folder / "scene.mrb"), True)
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 2
    line = scene.GetFirstNodeByName("L4-L5 Disc height, middle")
    assert line.GetLineLengthWorld() == pytest.approx(rows[0].value, abs=1e-4)
    ends = [line.GetNthControlPointPositionWorld(n) for n in (0, 1)]
    np.testing.assert_allclose(ends, [rows[0].p1, rows[0].p2], atol=1e-4)
    assert line.GetAttribute("SpineMeasure.level") == "L4-L5"
    assert line.GetAttribute("SpineMeasure.method") == "chord50"
    assert json.loads(line.GetAttribute("SpineMeasure.plane"))["origin"] == [1.0, 2.0, 3.0]
    assert line.GetFixedNumberOfControlPoints()
    assert line.GetNodeReference("SpineMeasure.segmentation").GetClassName() == "vtkMRMLSegmentationNode"


def test_table_comes_back_with_every_row(written: Any, scene: Any) -> None:
    folder, _, _, rows = written
    assert scene.ReadFromMRB(str(folder / "scene.mrb"), True)
    table = scene.GetFirstNodeByClass("vtkMRMLTableNode")
    assert table.GetNumberOfRows() == len(rows)
    columns = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    value = table.GetTable().GetColumn(columns.index("value"))
    assert value.GetValue(0) == pytest.approx(rows[0].value)
    assert np.isnan(value.GetValue(3))
    assert table.GetCellText(2, columns.index("flags")) == "few_slices"


def test_subject_hierarchy_groups_the_case(written: Any, scene: Any) -> None:
    import slicer

    folder, *_ = written
    assert scene.ReadFromMRB(str(folder / "scene.mrb"), True)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    line = scene.GetFirstNodeByName("L4-L5 Disc height, middle")
    names = []
    item = tree.GetItemByDataNode(line)
    while item and item != tree.GetSceneItemID():
        item = tree.GetItemParent(item)
        names.append(tree.GetItemName(item))
    assert names[:3] == ["L4-L5", "Lines", "T2 sag"]


def test_a_fresh_process_reads_the_scene(written: Any) -> None:
    folder, *_ = written
    code = (
        "import sys; from SpineMeasureLib.review.app import mrml_application; s = mrml_application().scene;"
        "assert s.ReadFromMRB(sys.argv[1], True);"
        "print(s.GetFirstNodeByClass('vtkMRMLSegmentationNode').GetSegmentation().GetNumberOfSegments())"
    )
    command = [sys.executable, "-c", code, str(folder / "scene.mrb")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"


def test_only_the_files_asked_for_are_left(written: Any) -> None:
    folder, *_ = written
    assert sorted(p.name for p in folder.iterdir()) == ["scene.mrb", "spine.seg.nrrd"]
    assert not [n for n in zipfile.ZipFile(folder / "scene.mrb").namelist() if str(folder) in n]


def test_structures_of_the_case_have_the_kinds_that_the_scene_shows() -> None:
    _, segmentation, _ = case()
    assert [s.kind for s in segmentation.structures] == [Kind.BODY, Kind.DISC, Kind.BODY, Kind.CANAL]


def test_terminology_file_is_read_by_slicer(application: Any) -> None:
    import slicer

    from SpineMeasureLib.resources import data_path

    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    name = logic.LoadTerminologyFromFile(str(data_path("Resources/SpineMeasure.term.json")))
    assert name == "SpineMeasure"
    category = slicer.vtkSlicerTerminologyCategory()
    assert logic.GetNthCategoryInTerminology("SpineMeasure", 0, category)
    assert logic.GetNumberOfTypesInTerminologyCategory("SpineMeasure", category) > 50
