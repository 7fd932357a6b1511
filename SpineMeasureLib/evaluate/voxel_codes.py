"""What a labelled set says of a voxel, and no more: a code for the set of tissues that it may be.

A set that does not label a structure leaves it unlabelled, not background. Codes 0 to 6 are the tissues of
`anatomy.Tissue`; the others represent several.
"""

from __future__ import annotations

from ..anatomy import Tissue

BACKGROUND_OR_SACRUM = 7
CANAL_OR_CORD = 8
NOT_BODY = 9
NOT_CORD = 10
UNKNOWN = 11

#: Code -> the tissues that it allows.
ALLOWED: dict[int, frozenset[Tissue]] = {
    **{int(tissue): frozenset({tissue}) for tissue in Tissue},
    BACKGROUND_OR_SACRUM: frozenset({Tissue.BACKGROUND, Tissue.SACRUM}),
    CANAL_OR_CORD: frozenset({Tissue.CANAL, Tissue.CORD}),
    NOT_BODY: frozenset(Tissue) - {Tissue.BODY},
    NOT_CORD: frozenset(Tissue) - {Tissue.CORD},
    UNKNOWN: frozenset(Tissue),
}
