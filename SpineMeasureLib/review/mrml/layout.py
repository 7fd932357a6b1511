"""The layout of the review: a large sagittal view, an axial view and a 3D view. Slicer's own views are used."""

from __future__ import annotations

from typing import Any

#: Above Slicer's own numbers, which end below 600, and unlikely in other extensions.
LAYOUT_ID = 41907


def _slice_view(name: str, orientation: str, label: str, colour: str) -> str:
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{name}">'
        f'<property name="orientation" action="default">{orientation}</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{colour}</property></view>'
    )


LAYOUT = (
    '<layout type="horizontal" split="true">'
    f'<item splitSize="560">{_slice_view("Yellow", "Sagittal", "Y", "#EDD54C")}</item>'
    '<item splitSize="440"><layout type="vertical" split="true">'
    f'<item splitSize="500">{_slice_view("Red", "Axial", "R", "#F34A33")}</item>'
    '<item splitSize="500"><view class="vtkMRMLViewNode" singletontag="1">'
    '<property name="viewlabel" action="default">1</property></view></item>'
    "</layout></item></layout>"
)


def add_layout(layout_node: Any) -> int:
    """Register the layout with a vtkMRMLLayoutNode; return its number."""
    if not layout_node.IsLayoutDescription(LAYOUT_ID):
        layout_node.AddLayoutDescription(LAYOUT_ID, LAYOUT)
    return LAYOUT_ID
