"""Labels on the voxels of an image, and what the file that they come from says of its segments."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import UnreadableInputError
from ..volume import Volume


@dataclass(frozen=True)
class Segment:
    """What a file says of one of its segments.

    :ivar layer: the layer that it is in.
    :ivar value: its value in that layer.
    :ivar names: what it is called, the best first.
    :ivar code: SNOMED CT code of its type; empty where it has none.
    :ivar kind: what this program noted on it: a value of `anatomy.Kind`; else empty.
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
    :ivar segments: what its values are; empty for a label map that does not say.
    """

    volume: Volume
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()

    def single(self) -> Volume:
        """The only layer, array[i,j,k].

        :raises UnreadableInputError: there are several.
        """
        if self.volume.array.shape[3] > 1:
            raise UnreadableInputError(
                "The label file has overlapping segments, which no convention of values describes.",
                "Leave out --convention.",
            )
        return replace(self.volume, array=self.volume.array[..., 0])
