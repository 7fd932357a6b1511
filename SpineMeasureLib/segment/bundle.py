"""Model bundles: a MONAI bundle folder with configs/metadata.json, configs/inference.json and weights.

Weights are safetensors, read without running code, and must match the SHA-256 that the metadata states.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..measure.confidence import Calibrated
from ..resources import data_path
from .network import SpineNet
from .preprocess import SLICES_SEEN

DEFAULT_BUNDLE = "spine_mri"


@dataclass(frozen=True)
class Bundle:
    """A model on disk, checked but not yet loaded.

    :ivar metadata: contents of configs/metadata.json.
    """

    folder: Path
    metadata: dict[str, object]

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        """Version of the model."""
        return str(self.metadata["version"])

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights, as stated and checked."""
        weights = self.metadata["weights"]
        assert isinstance(weights, dict)
        return str(weights["sha256"])

    @property
    def calibration(self) -> dict[str, Calibrated]:
        """What the model's doubt means for measured values, by quantity and method; empty where it was not fitted."""
        stated = self.metadata.get("calibration", {})
        assert isinstance(stated, dict)
        return {key: Calibrated(**value) for key, value in stated.items()}

    @property
    def weights_path(self) -> Path:
        """The safetensors file."""
        weights = self.metadata["weights"]
        assert isinstance(weights, dict)
        return self.folder / str(weights["file"])


def open_bundle(folder: Path | None = None) -> Bundle:
    """Find a bundle and check its weights against the stated SHA-256.

    :param folder: bundle folder; the bundled model when None.
    :raises ModelError: something is missing, unreadable or does not match.
    """
    folder = folder or data_path(f"models/{DEFAULT_BUNDLE}")
    try:
        metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
        bundle = Bundle(folder, metadata)
        digest = hashlib.sha256(bundle.weights_path.read_bytes()).hexdigest()
        stated = bundle.sha256
        _ = bundle.calibration
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise ModelError(
            f"The model bundle '{folder.name}' has no {missing}.", "Install SpineMeasure again."
        ) from error
    except (KeyError, TypeError, AssertionError, ValueError, OSError) as error:
        raise ModelError(
            f"The metadata of the model bundle '{folder.name}' cannot be read.", "Install it again."
        ) from error
    if digest != stated:
        raise ModelError(
            f"The weights of the model bundle '{folder.name}' are damaged: their SHA-256 is not the stated one.",
            "Install SpineMeasure again.",
        )
    return bundle


def load_network(bundle: Bundle) -> SpineNet:
    """Build the network that the bundle describes and load its weights (CPU, float32, evaluation mode).

    :raises ModelError: the weights do not fit the network, or it sees another number of slices than this version shows.
    """
    from monai.bundle import ConfigParser
    from safetensors.torch import load_model

    parser = ConfigParser()
    parser.read_config(bundle.folder / "configs" / "inference.json")
    network = parser.get_parsed_content("network_def")
    assert isinstance(network, SpineNet)
    if network.slices != SLICES_SEEN:
        raise ModelError(
            f"The model '{bundle.name}' was made for another version of this program.", "Use the bundled model."
        )
    try:
        load_model(network, str(bundle.weights_path))
    except Exception as error:
        raise ModelError(
            f"The weights of the model bundle '{bundle.folder.name}' do not fit its network.", "Install it again."
        ) from error
    return network.eval()


def save_bundle(
    folder: Path, network: SpineNet, network_definition: dict[str, object], metadata: dict[str, object]
) -> Bundle:
    """Write a bundle: half-precision safetensors, configs, and the weights' SHA-256 into the metadata.

    The same weights give the same bytes.
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
    write_metadata(folder, metadata)
    inference = {"imports": [], "network_def": network_definition}
    (folder / "configs" / "inference.json").write_text(json.dumps(inference, indent=2) + "\n", encoding="utf-8")
    return Bundle(folder, metadata)


def write_metadata(folder: Path, metadata: dict[str, object]) -> None:
    """Write what a bundle says of itself."""
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
