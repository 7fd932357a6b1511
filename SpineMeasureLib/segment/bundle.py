"""Model bundles: a MONAI bundle folder with configs/metadata.json, configs/inference.json and weights.

Nothing in a bundle is run: configurations are read as data (`definition`), weights are safetensors and must match the
SHA-256 that the metadata states. MONAI's own loader reads the same folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..certainty import Calibrated
from ..errors import ModelError, printable
from ..resources import data_path
from .definition import DefinitionError, NetworkDefinition, blocks, check_is_data, finite, read_config
from .network import SpineNet
from .preprocess import SLICES_SEEN

DEFAULT_BUNDLE = "spine_mri"
#: More than the weights of any network within the bounds of `NetworkDefinition`.
_LARGEST_WEIGHTS = 2**30
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Bundle:
    """A model on disk, checked but not yet loaded.

    :ivar metadata: contents of configs/metadata.json.
    :ivar name: of the model.
    :ivar version: of the model.
    :ivar sha256: of the weights, as stated and checked.
    :ivar weights_path: the safetensors file.
    :ivar calibration: of the confidence of measured values, by quantity and method; empty if not fitted.
    """

    folder: Path
    metadata: dict[str, Any]
    network: NetworkDefinition
    name: str
    version: str
    sha256: str
    weights_path: Path
    calibration: dict[str, Calibrated]


def open_bundle(folder: Path | None = None) -> Bundle:
    """Find a bundle, check its metadata, and its weights against the stated SHA-256.

    :param folder: bundle folder; the bundled model if None.
    :raises ModelError: something is missing, unreadable, not plain data or does not match.
    """
    folder = folder or data_path(f"models/{DEFAULT_BUNDLE}")
    file = "metadata.json"
    try:
        metadata = read_config(folder / "configs" / file)
        check_is_data(metadata)
        file = "inference.json"
        network = NetworkDefinition.from_config(read_config(folder / "configs" / file))
        file = "metadata.json"
        bundle = _described(folder, metadata, network)
        file = bundle.weights_path.name
        digest = _hash(bundle.weights_path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(
            f"The model bundle '{folder.name}' has no {file}.", "Name the folder of a bundle, or install it again."
        ) from error
    except DefinitionError as error:
        raise ModelError(
            f"The file {file} of the model bundle '{folder.name}' is refused: {error}.",
            "Use a bundle that this program wrote.",
        ) from error
    except OSError as error:
        raise ModelError(
            f"The file {file} of the model bundle '{folder.name}' cannot be read.", "Install it again."
        ) from error
    if digest != bundle.sha256:
        raise ModelError(
            f"The weights of the model bundle '{folder.name}' are damaged: their SHA-256 is not the stated one.",
            "Install SpineMeasure again.",
        )
    return bundle


def _hash(path: Path) -> str:
    """SHA-256 of the weights.

    :raises DefinitionError: it is not a file, or too large.
    """
    found = hashlib.sha256()
    for block in blocks(path, _LARGEST_WEIGHTS):
        found.update(block)
    return found.hexdigest()


def _described(folder: Path, metadata: dict[str, Any], network: NetworkDefinition) -> Bundle:
    """Build a bundle from its metadata.

    :raises DefinitionError: something is missing or has another type.
    """
    weights, calibration = metadata.get("weights"), metadata.get("calibration", {})
    if not isinstance(weights, dict) or not isinstance(calibration, dict):
        raise DefinitionError("it does not describe weights and calibration")
    sha256 = weights.get("sha256")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DefinitionError("the SHA-256 of the weights is missing")
    name, version = (_short_text(metadata, key) for key in ("name", "version"))
    file = _file_inside(weights.get("file"))
    fitted = {key: _calibrated(value) for key, value in calibration.items()}
    return Bundle(folder, metadata, network, name, version, sha256, folder / file, fitted)


def _short_text(metadata: dict[str, Any], key: str) -> str:
    text = metadata.get(key)
    if isinstance(text, str) and text and len(text) <= _LONGEST_NAME and text == printable(text):
        return text
    raise DefinitionError(f"its {key} is missing or not a short text")


def _file_inside(name: object) -> PurePosixPath:
    """The safetensors file that `name` is, relative to the bundle and not outside it."""
    path = PurePosixPath(name) if isinstance(name, str) else PurePosixPath()
    plain = re.fullmatch(r"[A-Za-z0-9_./-]+", str(path)) and ".." not in path.parts and not path.is_absolute()
    if not plain or path.suffix != ".safetensors":
        raise DefinitionError("the weights are not a .safetensors file in the bundle")
    return path


def _calibrated(value: object) -> Calibrated:
    if not isinstance(value, dict) or set(value) != set(Calibrated.__dataclass_fields__):
        raise DefinitionError("the calibration is not one of this program")
    return Calibrated(**{key: finite(number) for key, number in value.items()})


def load_network(bundle: Bundle) -> SpineNet:
    """Build the network that the bundle describes and load its weights (CPU, float32, evaluation mode).

    :raises ModelError: the weights do not fit the network, or it was made for another number of slices.
    """
    from safetensors.torch import load_model

    if bundle.network.slices != SLICES_SEEN:
        raise ModelError(
            f"The model '{bundle.name}' was made for another version of this program.", "Use the bundled model."
        )
    network = SpineNet(**asdict(bundle.network))
    try:
        load_model(network, str(bundle.weights_path))
    except Exception as error:
        raise ModelError(
            f"The weights of the model bundle '{bundle.folder.name}' do not fit its network.", "Install it again."
        ) from error
    return network.eval()


def save_bundle(folder: Path, network: SpineNet, metadata: dict[str, Any]) -> Bundle:
    """Write a bundle: half-precision safetensors, configs, and the weights' SHA-256 into the metadata.

    The same weights give the same bytes.

    :raises DefinitionError: the metadata contain something that is not allowed.
    """
    from safetensors.torch import save_file

    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    file = "models/model.safetensors"
    # DynUNet registers each block twice: shared tensors are written once.
    tensors = {tensor.data_ptr(): (name, tensor) for name, tensor in sorted(network.state_dict().items())}
    save_file({name: tensor.cpu().half().contiguous() for name, tensor in tensors.values()}, str(folder / file))
    data = (folder / file).read_bytes()
    stated = {"file": file, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    metadata = {**metadata, "weights": stated}
    check_is_data(metadata)
    write_metadata(folder, metadata)
    inference = json.dumps(network.definition.as_config(), indent=2) + "\n"
    (folder / "configs" / "inference.json").write_text(inference, encoding="utf-8")
    return _described(folder, metadata, network.definition)


def write_metadata(folder: Path, metadata: dict[str, Any]) -> None:
    """Write the metadata of a bundle."""
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
