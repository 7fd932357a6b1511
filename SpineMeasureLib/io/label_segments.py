"""Labels on the voxels of an image, and how their file describes its segments."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import UnreadableInputError
from ..volume import Volume


@dataclass(frozen=True)
class Segment:
    """One segment as its file describes it.

    :ivar layer: the layer that contains it.
    :ivar value: its value in that layer.
    :ivar names: its names, the best first.
    :ivar code: SNOMED CT code of its type; may be empty.
    :ivar kind: the value of `anatomy.Kind` that this program wrote; else empty.
    :ivar level: level that belongs to `kind`.
    """

    layer: int
    value: int
    names: tuple[str, ...]
    code: str = ""
    kind: str = ""
    level: str = ""

    @property
    def name(self) -> str:
        """Its name for messages."""
        return next(filter(None, self.names), f"value {self.value}")


@dataclass(frozen=True)
class LabelFile:
    """Labels on the voxels of an image.

    :ivar volume: array[i,j,k,layer] of whole numbers.
    :ivar segments: what its values mean; empty for a plain label map.
    """

    volume: Volume
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()

    def single(self) -> Volume:
        """Return the only layer, array[i,j,k].

        :raises UnreadableInputError: there are several.
        """
        if self.volume.array.shape[3] > 1:
            raise UnreadableInputError(
                "The label file has overlapping segments, which no convention of values describes.",
                "Leave out --convention.",
            )
        return replace(self.volume, array=self.volume.array[..., 0])
