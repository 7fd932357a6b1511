"""Sub-voxel position of an edge beside a thin dark layer, from a model of the profile.

A plate thinner than the point spread does not reach its own darkness, and the steepest place of its profile is not its
boundary. The model has three levels (what is inside, the dark layer, what is outside), blurred by a Gaussian; the level
of the dark layer is known from the rest of the image, the two others, thickness, position and blur are fitted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

#: Places of the fitted profile, mm outward from the approximate edge.
PLACES_MM = np.arange(-2.6, 2.41, 0.2)
_SHIFTS_MM = np.arange(-0.7, 0.701, 0.05)
_THICKNESSES_MM = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.0, 6.0])
#: Where the signal of a thick layer is taken, mm from the edge.
_BESIDE_MM = (0.6, 1.2)
_BLURS_MM = np.array([0.12, 0.2, 0.3, 0.42, 0.6])


@lru_cache(1)
def _models() -> Array:
    """Return orthonormal bases [blur, shift, thickness, 2, place] of the two free levels."""
    blur, shift, thickness, place = np.ix_(_BLURS_MM, _SHIFTS_MM, _THICKNESSES_MM, PLACES_MM)
    outside = np.broadcast_to(
        ndtr((place - shift) / blur), np.broadcast_shapes(blur.shape, shift.shape, thickness.shape, place.shape)
    )
    inside = ndtr(-(place - shift + thickness) / blur)
    first = outside / np.linalg.norm(outside, axis=-1, keepdims=True)
    second = inside - (inside * first).sum(axis=-1, keepdims=True) * first
    size = np.linalg.norm(second, axis=-1, keepdims=True)
    second = np.where(size > 1e-3, second / np.maximum(size, 1e-3), 0.0)
    return np.stack([first, second], axis=-2)


def refine(profiles: Array, dark: float | None) -> Array:
    """Return how far (mm outward) each edge is from the place where its profile is centred.

    >>> step = 100 * ndtr((PLACES_MM - 0.3) / 0.2)
    >>> refine(step[None], 0.0).round(2).tolist()
    [0.3]

    :param profiles: signal [n, places] at `PLACES_MM`; the bright side is outward.
    :param dark: signal of a dark layer that may be thinner than the point spread; None: it is thick, and its signal is
        the one beside the edge.
    """
    models = _models()
    if dark is None:
        beside = (-_BESIDE_MM[1] <= PLACES_MM) & (-_BESIDE_MM[0] >= PLACES_MM)
        signal = profiles - profiles[:, beside].mean(axis=1, keepdims=True)
        near = -_BESIDE_MM[1] <= PLACES_MM
        bright = models[:, :, -1:, :1] * near
        models, signal = bright / np.linalg.norm(bright, axis=-1, keepdims=True), signal * near
    else:
        signal = profiles - dark
    explained = np.square(np.einsum("bstcp,np->nbstc", models, signal, optimize=True)).sum(axis=-1)
    best_of_blur = explained.max(axis=(2, 3))
    blur = int(best_of_blur.sum(axis=0).argmax())
    by_shift = explained[:, blur].max(axis=2)
    peak = np.clip(by_shift.argmax(axis=1), 1, by_shift.shape[1] - 2)
    rows = np.arange(len(signal))
    before, here, after = (by_shift[rows, peak + n] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    part = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    found: Array = _SHIFTS_MM[peak] + (_SHIFTS_MM[1] - _SHIFTS_MM[0]) * np.clip(part, -0.5, 0.5)
    return found
