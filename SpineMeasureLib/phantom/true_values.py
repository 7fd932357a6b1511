"""True values of a spine of closed-form shape, from its formulas and not from voxels."""

from __future__ import annotations

import numpy as np

from ..anatomy import Kind
from ..orientation import apply_affine, apply_to_vectors
from .elements import Element, Spine
from .geometry import Array


def _reach(inside: Element, start: Array, direction: Array) -> float:
    """Return the distance along a line (v, u) from a point inside a footprint to its edge, by bisection."""
    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        v, u = (start + middle * direction)[:2]
        low, high = (middle, high) if inside.footprint(np.array(v), np.array(u)) < 0 else (low, middle)
    return low


def _sagittal(spine: Spine, element: Element) -> tuple[Array, Array]:
    """Return centroid and anterior direction of an element, local; anterior points from the canal to the centroid."""
    centre = element.centroid
    anterior = centre - (0.0, -spine.canal.behind, 0.0)
    return centre, anterior / np.linalg.norm(anterior)


def truth(spine: Spine) -> dict[tuple[str, str, str], float]:
    """Compute the true values of a spine by (level, quantity, method).

    >>> from SpineMeasureLib.phantom import lumbar
    >>> truth(lumbar("L5", "L4"))["L4-L5", "canal_ap", "disc_level"]
    14.0
    """
    found: dict[tuple[str, str, str], float] = {}
    for element in spine.elements:
        if element.kind is Kind.DISC:
            found |= _disc_truth(spine, element)
        elif element.kind is Kind.BODY:
            found |= _body_truth(spine, element)
    for place, kind in (("disc_level", Kind.DISC), ("mid_vertebral", Kind.BODY)):
        for element in spine.elements:
            if element.kind is kind:
                found[element.name, "canal_ap", place] = spine.canal.ap
                found[element.name, "canal_area", place] = spine.canal.area()
    return found | _angle_truth(spine)


def _depth(spine: Spine, element: Element) -> tuple[Array, Array, float, float]:
    centre, anterior = _sagittal(spine, element)
    return centre, anterior, _reach(element, centre, anterior), _reach(element, centre, -anterior)


def _disc_truth(spine: Spine, disc: Element) -> dict[tuple[str, str, str], float]:
    centre, anterior, front, back = _depth(spine, disc)
    depth = front + back

    def height(part: float) -> float:
        place = centre + (front - part * depth) * anterior
        return disc.height_at(float(place[0]), float(place[1]))

    heights = {p: height(p) for p in (0.1, 0.5, 0.9)}
    ends = _corners(spine, disc)
    middle = [(a + p) / 2 for a, p in ends]
    along = (ends[1][0] - ends[1][1]) / np.linalg.norm(ends[1][0] - ends[1][1])
    slip = float((ends[0][1] - ends[1][1]) @ along)
    up, low = (np.array([(a - p) @ anterior, (a - p)[2]]) for a, p in ends)
    wedge = np.degrees(np.arctan2(up[1], up[0]) - np.arctan2(low[1], low[0]))
    mean3 = (heights[0.1] + heights[0.5] + heights[0.9]) / 3
    above = next((e for e in spine.elements if e.name == disc.name.partition("-")[0]), None)
    values = {
        ("disc_height_anterior", "chord10"): heights[0.1],
        ("disc_height_middle", "chord50"): heights[0.5],
        ("disc_height_posterior", "chord90"): heights[0.9],
        ("disc_height_mean", "area_depth"): heights[0.5],
        ("disc_height_mean", "mean3"): mean3,
        ("disc_height", "dabbs"): float(sum(np.linalg.norm(ends[0][n] - ends[1][n]) for n in (0, 1))) / 2,
        ("disc_height", "hurxthal"): float(np.linalg.norm(middle[0] - middle[1])),
        ("disc_depth", "depth50"): depth,
        ("disc_area", "area"): heights[0.5] * depth,
        ("disc_volume", "volume"): disc.volume,
        ("farfan_index", "farfan"): (heights[0.1] + heights[0.9]) / depth,
        ("disc_wedge", "wedge"): float(wedge),
        ("listhesis", "posterior_corners"): slip,
    }
    right = np.cross(anterior, (0, 0, 1))
    values["disc_width", "width50"] = _reach(disc, centre, right) + _reach(disc, centre, -right)
    if above is not None:
        _, _, ahead, behind = _depth(spine, above)
        values["disc_height_index", "dhi_mean3"] = mean3 / (ahead + behind)
    return {(disc.name, q, m): v for (q, m), v in values.items()}


def _corners(spine: Spine, disc: Element) -> list[tuple[Array, Array]]:
    """Return (anterior, posterior) ends of the upper and lower endplate line, in local coordinates of the disc."""
    centre, anterior = _sagittal(spine, disc)
    _, frame = spine.named(disc.name)
    found = []
    for sign, name in zip((1, -1), disc.name.split("-"), strict=True):
        body, body_frame = spine.named(name)
        rise = np.array([*(disc.opening * disc.slope * sign), 0.0])
        start = centre + (0, 0, sign * (disc.height / 2 + disc.slope * float(disc.opening @ centre[:2])))
        along = anterior + (0, 0, float(rise @ anterior))
        to_body = np.linalg.inv(body_frame) @ frame
        begin, direction = apply_affine(to_body, start), apply_to_vectors(to_body, along)
        ends = [_reach(body, begin, direction), _reach(body, begin, -direction)]
        found.append((start + ends[0] * along, start - ends[1] * along))
    return found


def _body_truth(spine: Spine, body: Element) -> dict[tuple[str, str, str], float]:
    centre, anterior, front, back = _depth(spine, body)
    places = (centre + front * anterior, centre + (front - back) / 2 * anterior, centre - back * anterior)
    ha, hm, hp = (body.height_at(float(p[0]), float(p[1])) for p in places)
    values = {
        ("body_height_anterior", "corner"): ha,
        ("body_height_middle", "chord50"): hm,
        ("body_height_posterior", "corner"): hp,
        ("body_depth", "depth50"): front + back,
        ("body_wedge_ratio", "anterior_posterior"): ha / hp,
        ("body_biconcavity_ratio", "middle_posterior"): hm / hp,
        ("torg_pavlov_ratio", "canal_body"): spine.canal.ap / (front + back),
    }
    return {(body.name, q, m): v for (q, m), v in values.items()}


def _angle_truth(spine: Spine) -> dict[tuple[str, str, str], float]:
    """Compute segmental angles and lordosis: bends add up if every element opens to the front or the back."""
    if any(e.about % 180 for e in spine.elements):
        return {}
    found = {}
    bends = [e.bend * (1 if e.about == 0 else -1) for e in spine.elements]
    names = [e.name for e in spine.elements]
    for n, element in enumerate(spine.elements):
        if element.kind is Kind.DISC and spine.elements[n - 1].kind is Kind.BODY:
            found[element.name, "segmental_angle", "cobb"] = sum(bends[n - 1 : n + 2])
    if "S1" in names and "L1" in names:
        found["L1-S1", "lordosis", "cobb"] = sum(bends[names.index("S1") + 1 : names.index("L1") + 1])
    return found


def edge_truth(spine: Spine) -> dict[tuple[str, str, str], float]:
    """Compute the true values between edges of the image (see `signal`) by (level, quantity, method).

    The marrow of two bodies is as far apart as the planes of the disc, whatever a label map gives to the disc. A height
    at a place which one of the bodies does not reach, as in listhesis, is left out.

    >>> from SpineMeasureLib.phantom import lumbar
    >>> round(edge_truth(lumbar("L5", "L4"))["L4-L5", "disc_height_middle", "endplate50"], 6)
    10.0
    """
    found: dict[tuple[str, str, str], float] = {}
    for element in spine.elements:
        if element.kind is Kind.SACRUM:
            continue
        values = _endplate_truth(spine, element) if element.kind is Kind.DISC else _cortex_truth(spine, element)
        values["canal_ap", "wall"] = spine.canal.ap
        if spine.canal.cord[0] > 0:
            values["cord_ap", "wall"] = 2 * spine.canal.cord[0]
        found |= {(element.name, q, m): v for (q, m), v in values.items()}
    return found


def _endplate_truth(spine: Spine, disc: Element) -> dict[tuple[str, str], float]:
    centre, anterior, front, back = _depth(spine, disc)
    gaps = {
        percent: _marrow_gap(spine, disc, centre + (front - percent / 100 * (front + back)) * anterior)
        for percent in (10, 50, 90)
    }
    found = {}
    for name, percent in (("anterior", 10), ("middle", 50), ("posterior", 90)):
        gap = gaps[percent]
        if gap is not None:
            found[f"disc_height_{name}", f"endplate{percent}"] = gap
    if len(found) == 3:
        # Between two planes the height changes linearly: its mean over the depth is the mean of two mirrored places.
        found["disc_height_mean", "endplate_area_depth"] = (
            found["disc_height_anterior", "endplate10"] + found["disc_height_posterior", "endplate90"]
        ) / 2
    return found


def _marrow_gap(spine: Spine, disc: Element, place: Array) -> float | None:
    """Return the distance between the marrow of both bodies along the disc's axis; None if one ends before `place`."""
    _, frame = spine.named(disc.name)
    ends = []
    for sign, name in zip((1, -1), disc.name.split("-"), strict=True):
        body, body_frame = spine.named(name)
        to_body = np.linalg.inv(body_frame) @ frame
        # The plane of the body that faces the disc, in the body's own coordinates: s = -sign * (h / 2 + slope * q).
        normal = np.array([*(sign * body.slope * body.opening), 1.0])
        begin, along = apply_affine(to_body, place), apply_to_vectors(to_body, np.array([0.0, 0.0, 1.0]))
        step = (-sign * body.height / 2 - float(normal @ begin)) / float(normal @ along)
        end = begin + step * along
        if body.footprint(end[0], end[1]) > 0:
            return None
        ends.append(step)
    return float(ends[0] - ends[1])


def _cortex_truth(spine: Spine, body: Element) -> dict[tuple[str, str], float]:
    centre, anterior, front, back = _depth(spine, body)
    places = {"anterior": front, "middle": (front - back) / 2, "posterior": -back}
    found = {}
    for name, forward in places.items():
        v, u, _ = centre + forward * anterior
        found[f"body_height_{name}", "cortex"] = body.height_at(float(v), float(u))
    return found
