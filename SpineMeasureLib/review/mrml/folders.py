"""Subject hierarchy of a case: a folder with image, segmentation, table, and lines by level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .links import ATTRIBUTE

_MARK = f"{ATTRIBUTE}folder"
_LINES, _LEVEL = "lines", "level"


def tree_of(scene: Any) -> Any:
    """Return the subject hierarchy of a scene."""
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def arrange(scene: Any, name: str, volume: Any, segmentation: Any, lines: Iterable[tuple[str, Any]], table: Any) -> int:
    """Make the folders of a new case and move its nodes into them.

    An image that is already in a folder (its DICOM study) stays there, and the case is added beside it.

    :param volume: image node, or None.
    :param lines: (level, node) from head to sacrum.
    :return: the case's item.
    """
    tree = tree_of(scene)
    root = tree.GetSceneItemID()
    home = tree.GetItemParent(tree.GetItemByDataNode(volume)) if volume is not None else root
    study = home if home not in (root, 0) else None
    case = tree.CreateFolderItem(study or root, name)
    for node in (None if study else volume, segmentation, table):
        if node is not None:
            tree.SetItemParent(tree.GetItemByDataNode(node) or tree.CreateItem(case, node), case)
    measured = tree.CreateFolderItem(case, "Lines")
    tree.SetItemAttribute(measured, _MARK, _LINES)
    arrange_lines(scene, int(case), lines)
    tree.SetItemExpanded(measured, False)
    return int(case)


def case_folder(scene: Any, nodes: Iterable[Any]) -> int:
    """Return the item of a case, found by its nodes; 0 if the user deleted it."""
    tree = tree_of(scene)
    for node in nodes:
        item = tree.GetItemByDataNode(node) if node is not None else 0
        while item and item != tree.GetSceneItemID():
            if any(tree.GetItemAttribute(child, _MARK) == _LINES for child in _children(tree, item)):
                return int(item)
            item = tree.GetItemParent(item)
    return 0


def arrange_lines(scene: Any, case: int, lines: Iterable[tuple[str, Any]]) -> None:
    """Move every line into the folder of its level; folders are renamed with their lines.

    :param case: item of the case; if 0, nothing is done.
    """
    tree = tree_of(scene)
    measured = next((i for i in _children(tree, case) if tree.GetItemAttribute(i, _MARK) == _LINES), 0) if case else 0
    if not measured:
        return
    level_of = {tree.GetItemByDataNode(node) or tree.CreateItem(measured, node): level for level, node in lines}
    folders: dict[str, int] = {}
    for folder in _children(tree, measured):
        if tree.GetItemAttribute(folder, _MARK) != _LEVEL:
            continue
        level = next((level_of[i] for i in _children(tree, folder) if i in level_of), None)
        if level is None or level in folders:
            continue
        tree.SetItemName(folder, level)
        folders[level] = folder
    for item, level in level_of.items():
        if level not in folders:
            folders[level] = tree.CreateFolderItem(measured, level)
            tree.SetItemAttribute(folders[level], _MARK, _LEVEL)
            tree.SetItemExpanded(folders[level], False)
        if tree.GetItemParent(item) != folders[level]:
            tree.SetItemParent(item, folders[level])
    for folder in _children(tree, measured):
        if tree.GetItemAttribute(folder, _MARK) == _LEVEL and not _children(tree, folder):
            tree.RemoveItem(folder)


def remove_folder(scene: Any, case: int) -> None:
    """Remove the empty folders of a case.

    :param case: item of the case; if 0, nothing is done.
    """
    tree = tree_of(scene)
    for item in (*_children(tree, case), case) if case else ():
        if tree.GetItemDataNode(item) is None and not any(map(tree.GetItemDataNode, _below(tree, item))):
            tree.RemoveItem(item, False, True)


def _below(tree: Any, item: int) -> list[int]:
    """Return all items below an item."""
    children = _children(tree, item)
    return children + [each for child in children for each in _below(tree, child)]


def forget(scene: Any, node: Any) -> None:
    """Remove the item of a node that is removed. Slicer does this itself; a windowless scene does not."""
    tree = tree_of(scene)
    item = tree.GetItemByDataNode(node)
    if item:
        tree.RemoveItem(item, False, False)


def _children(tree: Any, item: int) -> list[int]:
    from vtkmodules.vtkCommonCore import vtkIdList

    found = vtkIdList()
    tree.GetItemChildren(item, found)
    return [found.GetId(n) for n in range(found.GetNumberOfIds())]
