"""A spine of closed-form shape as long as a whole-spine image shows, for benchmarks."""

from __future__ import annotations

from SpineMeasureLib.anatomy import USUAL_ORDER, Kind, disc_name
from SpineMeasureLib.segmentation import SpineSegmentation

from .phantoms import Element, Grid, Spine, voxelise


def long_spine() -> SpineSegmentation:
    """Twenty vertebrae above the sacrum with their discs, on 0.8 x 0.8 x 4 mm."""
    names = ["S1", *reversed(USUAL_ORDER[USUAL_ORDER.index("C5") : USUAL_ORDER.index("S1")])]
    elements = []
    for upper, name in zip([*names[1:], ""], names, strict=True):
        kind = Kind.SACRUM if name == "S1" else Kind.BODY
        elements.append(Element(name, kind, 22.0, power=3.0))
        if upper:
            elements.append(Element(disc_name(upper, name), Kind.DISC, 7.0))
    return voxelise(Spine(tuple(elements)), Grid((4.0, 0.8, 0.8)))
