"""Analytic spine phantoms: closed-form shapes whose every measurement is known, on any grid.

In the phantom's own frame x is anterior, y right, z superior. Bodies and discs are elliptic cylinders about z, cut by
the planes of wedge-shaped discs; the canal is an elliptic tube behind them. RAS mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from SpineMeasureLib.anatomy import CANAL_VALUE, DISC_OFFSET, vertebra_value
from SpineMeasureLib.segment.instances import list_structures
from SpineMeasureLib.segmentation import SpineSegmentation

CHAIN = ("L2", "L3", "L4", "L5")


@dataclass(frozen=True)
class Phantom:
    """Sizes in mm; wedge is the full opening angle of each disc in degrees, positive open anteriorly.

    :ivar slip: forward shift of everything above the lowest disc's middle.
    """

    depth: float = 34.0
    width: float = 44.0
    body: float = 26.0
    disc: float = 10.0
    wedge_deg: float = 8.0
    canal_ap: float = 14.0
    canal_width: float = 22.0
    slip: float = 0.0

    @property
    def step(self) -> float:
        """Distance between disc centres."""
        return self.body + self.disc

    @property
    def slope(self) -> float:
        """Rise of a disc's upper surface per mm towards anterior."""
        return float(np.tan(np.radians(self.wedge_deg / 2)))

    def labels_at(self, points: np.ndarray) -> np.ndarray:
        """Label value of points [..., 3] (x anterior, y right, z superior); the lowest disc is centred at z = 0."""
        x, y, z = np.moveaxis(points, -1, 0)
        shift = np.where(z > 0, self.slip, 0.0)
        x = x - shift
        inside = (2 * x / self.depth) ** 2 + (2 * y / self.width) ** 2 < 1
        labels = np.zeros(x.shape, np.uint8)
        for n, name in enumerate(reversed(CHAIN)):
            low = z - (n - 1) * self.step  # height over the disc under this body
            high = n * self.step - z  # depth under the disc over it
            top = high > self.disc / 2 + self.slope * x if n < len(CHAIN) - 1 else high > self.disc / 2
            bottom = low > self.disc / 2 + self.slope * x if n else low > self.disc / 2
            labels[inside & top & bottom] = vertebra_value(name)
        for n, name in enumerate(reversed(CHAIN[:-1])):
            flat = np.abs(z - n * self.step) <= self.disc / 2 + self.slope * x
            labels[inside & flat] = DISC_OFFSET + vertebra_value(name)
        behind = x + shift + self.depth / 2 + 4.0 + self.canal_ap / 2
        tube = (2 * behind / self.canal_ap) ** 2 + (2 * y / self.canal_width) ** 2 < 1
        labels[tube] = CANAL_VALUE
        return labels

    def height(self, place: float) -> float:
        """Disc height at a fraction of the depth from anterior."""
        return self.disc + 2 * self.slope * self.depth * (0.5 - place)

    def truth(self) -> dict[tuple[str, str], float]:
        """(quantity, method) -> value at every inner disc and body."""
        heights = {f"chord{round(100 * p)}": self.height(p) for p in (0.1, 0.5, 0.9)}
        mean3 = sum(heights.values()) / 3
        return {
            ("disc_height_anterior", "chord10"): heights["chord10"],
            ("disc_height_middle", "chord50"): heights["chord50"],
            ("disc_height_posterior", "chord90"): heights["chord90"],
            ("disc_height_mean", "mean3"): mean3,
            ("disc_height_mean", "area_depth"): self.disc,
            ("disc_height", "hurxthal"): self.disc,
            ("disc_depth", "depth50"): self.depth,
            ("disc_wedge", "wedge"): self.wedge_deg,
            ("canal_ap", "disc_level"): self.canal_ap,
            ("canal_ap", "mid_vertebral"): self.canal_ap,
            ("canal_ap_minimum", "within_5mm"): self.canal_ap,
            ("body_height_middle", "chord50"): self.body,
            ("body_depth", "depth50"): self.depth,
        }


@dataclass(frozen=True)
class Pose:
    """How a phantom lies in the patient and how it was stored.

    :ivar rotation_deg: of the phantom about x, y, z (RAS).
    :ivar slices_deg: of the image grid about x, y, z: an obliquely prescribed stack.
    :ivar order: array axes as (right, superior, anterior) permuted; :ivar mirrored: left-handed storage.
    """

    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slices_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spacing: tuple[float, float, float] = (4.0, 0.5, 0.5)
    order: tuple[int, int, int] = (0, 1, 2)
    mirrored: bool = False


def voxelise(phantom: Phantom, pose: Pose | None = None) -> SpineSegmentation:
    """The phantom as a segmentation: each voxel has the label of its centre."""
    pose = pose or Pose()
    size = np.array([60.0, len(CHAIN) * phantom.step + 30, 110.0])
    shape = np.ceil(size / pose.spacing).astype(int)
    grid = Rotation.from_euler("xyz", pose.slices_deg, degrees=True).as_matrix()
    # Right, superior, anterior: the axes of a sagittal stack.
    axes = grid @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(pose.spacing)
    centre = np.array([0.3, -12.2, 1.1 * phantom.step])
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    if pose.mirrored:
        affine[:3, 3] += affine[:3, 1] * (shape[1] - 1)
        affine[:3, 1] *= -1
    affine = affine[:, [*pose.order, 3]]
    shape = shape[list(pose.order)]
    index = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3)
    ras = index @ affine[:3, :3].T + affine[:3, 3]
    turn = Rotation.from_euler("xyz", pose.rotation_deg, degrees=True).as_matrix()
    local = (ras @ turn) + centre  # RAS turned back into the phantom: right, anterior, superior
    labels = phantom.labels_at(local[:, [1, 0, 2]]).reshape(shape)
    return SpineSegmentation(labels, affine, list_structures(labels, affine, CHAIN), True, "labels")
