"""What the configuration of a model bundle may contain. It is data: read as JSON, checked, never evaluated.

The configuration of a MONAI bundle can contain expressions (``$...``), classes to instantiate (``_target_``) and
references to other files (``%...``), which MONAI's `ConfigParser` runs. Ours needs only the one class named here.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..anatomy import Region, Tissue
from .preprocess import SLICES_SEEN

#: Channels of a network that also predicts regions: the tissues, then the regions from `Region.AXIS` on.
N_CHANNELS = len(Tissue) + len(Region)
#: The one class that a configuration may name.
TARGET = "SpineMeasureLib.segment.network.SpineNet"
#: Our configurations are much smaller; a larger one is not read.
_LARGEST_FILE = 4 * 2**20
_BLOCK_BYTES = 2**20
#: Bounds of the network: number of slices and classes, stages, filters of one stage, pixels folded into channels.
_MOST_CHANNELS, _STAGES, _MOST_FILTERS, _FOLDS = 64, range(2, 9), 1024, range(1, 5)
#: First characters of strings that MONAI evaluates, follows or includes.
_EVALUATED = ("$", "@", "%")


class DefinitionError(ValueError):
    """A configuration contains something that is not allowed, or lacks something that is required."""


@dataclass(frozen=True)
class NetworkDefinition:
    """Arguments of `network.SpineNet`.

    :ivar slices: how many neighbouring slices the network sees.
    :ivar classes: channels of its output.
    :ivar filters: of each stage, the finest first.
    :ivar fold: as many by as many pixels become channels in front of the network.
    :raises DefinitionError: one of them has another type, or an unreasonable size.
    """

    slices: int = SLICES_SEEN
    classes: int = N_CHANNELS
    filters: tuple[int, ...] = (32, 48, 96, 160, 224)
    fold: int = 2

    def __post_init__(self) -> None:
        for name, value, known in (
            ("slices", self.slices, range(1, _MOST_CHANNELS + 1)),
            ("classes", self.classes, range(1, _MOST_CHANNELS + 1)),
            ("fold", self.fold, _FOLDS),
            ("stages", len(self.filters), _STAGES),
            *(("filters", number, range(1, _MOST_FILTERS + 1)) for number in self.filters),
        ):
            if type(value) is not int or value not in known:
                raise DefinitionError(f"{name} is {value!r:.40}, not a number from {known[0]} to {known[-1]}")

    def as_config(self) -> dict[str, object]:
        """The contents of inference.json."""
        return {"imports": [], "network_def": {"_target_": TARGET, **asdict(self), "filters": list(self.filters)}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NetworkDefinition:
        """The network that inference.json names.

        :raises DefinitionError: it contains anything else, or unreasonable sizes.
        """
        network = config.get("network_def")
        if set(config) - {"imports", "network_def"} or config.get("imports"):
            raise DefinitionError("it contains more than the network definition")
        if not isinstance(network, dict) or network.get("_target_") != TARGET:
            raise DefinitionError("it does not name the network of this program")
        stated = {key: value for key, value in network.items() if key != "_target_"}
        if unknown := set(stated) - set(cls.__dataclass_fields__):
            raise DefinitionError(f"{min(unknown)!r:.40} is not known of this network")
        if "filters" in stated:
            if not isinstance(stated["filters"], list):
                raise DefinitionError("filters is not a list")
            stated["filters"] = tuple(stated["filters"])
        return cls(**stated)


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a bundle.

    :raises FileNotFoundError: there is no such file.
    :raises DefinitionError: it is larger than any of ours, or is not a JSON object.
    """
    try:
        content = json.loads(b"".join(blocks(path, _LARGEST_FILE)).decode(), parse_constant=_not_a_number)
    except DefinitionError:
        raise
    except (ValueError, RecursionError) as error:
        raise DefinitionError("it is not JSON") from error
    if not isinstance(content, dict):
        raise DefinitionError("it is not a JSON object")
    return content


def blocks(path: Path, most: int) -> Iterator[bytes]:
    """The bytes of a file of a bundle, one block after another.

    :raises FileNotFoundError: there is no such file.
    :raises DefinitionError: it is not a regular file (a pipe or device may never end), or has more than `most` bytes.
    """
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # opening a folder gives a clearer error
        raise DefinitionError("it is not a regular file")
    with path.open("rb") as file:
        left = most
        while block := file.read(min(_BLOCK_BYTES, left + 1)):
            left -= len(block)
            if left < 0:
                raise DefinitionError("it is too large")
            yield block


def check_is_data(content: object) -> None:
    """Refuse metadata in which MONAI would find something to evaluate.

    :raises DefinitionError: there is such a string or key.
    """
    for key, value in _entries(content):
        if key.startswith("_") or (isinstance(value, str) and value.startswith(_EVALUATED)):
            raise DefinitionError(f"{key!r:.40} is not plain data")


def _entries(content: object) -> Iterator[tuple[str, object]]:
    """Every entry at any depth: its key, or an empty one in a list, and its value."""
    waiting = [("", content)]
    while waiting:
        key, value = waiting.pop()
        yield key, value
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [("", one) for one in value]


def finite(value: object) -> float:
    """A number of a configuration.

    :raises DefinitionError: it is not a finite number.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise DefinitionError(f"{value!r:.40} is not a finite number")


def _not_a_number(name: str) -> NoReturn:
    raise DefinitionError(f"{name} is not a finite number")
