"""Opening a model bundle runs nothing that is in it, and MONAI's own loader reads ours."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from SpineMeasureLib.errors import ModelError  # noqa: E402
from SpineMeasureLib.segment.bundle import load_network, open_bundle, save_bundle  # noqa: E402
from SpineMeasureLib.segment.definition import TARGET, DefinitionError, NetworkDefinition, blocks  # noqa: E402
from SpineMeasureLib.segment.network import SpineNet  # noqa: E402
from SpineMeasureLib.train.model_bundle import MODEL_CHANGES  # noqa: E402

#: SHA-256 of the weights of every version of the bundled model. New weights need a new version and a line here.
WEIGHTS = {
    "0.1.0": "d181e204f0e6fdeb6f98024f3b704ee3ad7498fab77796a5a9fca7dc6dc53f87",
    "0.2.0": "b2be765e176a35f9bcc2ed25e2c54fd00ab11e22d4a5908ae171ac2d5dd880c2",
}
FILTERS = (8, 8, 8)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A little bundle with random weights."""
    save_bundle(tmp_path / "little", SpineNet(filters=FILTERS), {"name": "little", "version": "1"})
    return tmp_path / "little"


def change(bundle: Path, file: str, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit a configuration of a bundle."""
    path = bundle / "configs" / file
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_the_version_of_the_model_changes_with_its_weights() -> None:
    shipped = open_bundle()
    assert list(WEIGHTS) == list(MODEL_CHANGES)
    assert shipped.version == list(WEIGHTS)[-1]
    assert shipped.sha256 == WEIGHTS[shipped.version]
    assert shipped.metadata["changelog"] == MODEL_CHANGES


def test_the_bundle_is_read_by_the_loader_of_monai() -> None:
    config_parser = pytest.importorskip("monai.bundle").ConfigParser
    shipped, parser = open_bundle(), config_parser()
    parser.read_config(shipped.folder / "configs" / "inference.json")
    parser.read_meta(shipped.folder / "configs" / "metadata.json")
    network = parser.get_parsed_content("network_def")
    assert isinstance(network, SpineNet)
    assert network.definition == shipped.network == load_network(shipped).definition


def call(marker: Path) -> str:
    """Python that leaves a trace where it is evaluated."""
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


HOSTILE: dict[str, tuple[str, Callable[[dict[str, Any], Path], object]]] = {
    "an expression for the network": (
        "inference.json",
        lambda c, marker: c.update(network_def=f"${call(marker)}"),
    ),
    "an expression for a number": (
        "inference.json",
        lambda c, marker: c["network_def"].update(fold=f"${call(marker)}"),
    ),
    "an expression in a list": (
        "inference.json",
        lambda c, marker: c["network_def"].update(filters=[8, f"${call(marker)}", 8]),
    ),
    "eval as class": (
        "inference.json",
        lambda c, marker: c["network_def"].update(_target_="builtins.eval", source=call(marker)),
    ),
    "eval beside our class": (
        "inference.json",
        lambda c, marker: c.update(other={"_target_": "builtins.eval", "source": call(marker)}),
    ),
    "a class within our class": (
        "inference.json",
        lambda c, marker: c["network_def"].update(slices={"_target_": "builtins.eval", "source": call(marker)}),
    ),
    "a requirement of our class": (
        "inference.json",
        lambda c, marker: c["network_def"].update(_requires_=f"${call(marker)}"),
    ),
    "an import": ("inference.json", lambda c, marker: c.update(imports=["$import os", f"${call(marker)}"])),
    "a lone import": ("inference.json", lambda c, marker: c.update(imports="$import os")),
    "a file to include": ("inference.json", lambda c, marker: c.update(network_def="%other.json::network_def")),
    "an expression in the metadata": ("metadata.json", lambda c, marker: c.update(name=f"${call(marker)}")),
    "an expression deep in the metadata": (
        "metadata.json",
        lambda c, marker: c.update(training={"options": [{"x": [f"${call(marker)}"]}]}),
    ),
    "a class in the metadata": (
        "metadata.json",
        lambda c, marker: c.update(training={"_target_": "builtins.eval", "source": call(marker)}),
    ),
    "a calibration that is an expression": (
        "metadata.json",
        lambda c, marker: c.update(
            calibration={"canal_ap.disc_level": {"tolerance_mm": 1, "intercept": f"${call(marker)}", "slope": 1}}
        ),
    ),
    "a file outside": ("metadata.json", lambda c, marker: c["weights"].update(file="../../x.safetensors")),
    "a file outside, later": (
        "metadata.json",
        lambda c, marker: c["weights"].update(file="models/../../x.safetensors"),
    ),
    "an absolute file": ("metadata.json", lambda c, marker: c["weights"].update(file="/etc/x.safetensors")),
    "a file of another disk": ("metadata.json", lambda c, marker: c["weights"].update(file="C:\\x.safetensors")),
    "a pickle": ("metadata.json", lambda c, marker: c["weights"].update(file="models/model.pt")),
    "no file": ("metadata.json", lambda c, marker: c["weights"].update(file=["models/model.safetensors"])),
    "no weights": ("metadata.json", lambda c, marker: c.update(weights=None)),
    "no SHA-256": ("metadata.json", lambda c, marker: c["weights"].pop("sha256")),
    "no name": ("metadata.json", lambda c, marker: c.update(name="")),
    "a name that clears the screen": ("metadata.json", lambda c, marker: c.update(name="\x1b[2J")),
    "a version that is none": ("metadata.json", lambda c, marker: c.update(version=["1"])),
    "a calibration of text": (
        "metadata.json",
        lambda c, marker: c.update(calibration={"x": {"tolerance_mm": "1", "intercept": 1, "slope": 1}}),
    ),
    "a calibration of infinity": (
        "metadata.json",
        lambda c, marker: c.update(calibration={"x": {"tolerance_mm": 1, "intercept": float("inf"), "slope": 1}}),
    ),
    "filters without end": ("inference.json", lambda c, marker: c["network_def"].update(filters=[8, 10**9, 8])),
    "stages without end": ("inference.json", lambda c, marker: c["network_def"].update(filters=[8] * 10**5)),
    "slices without end": ("inference.json", lambda c, marker: c["network_def"].update(slices=10**12)),
    "no slices": ("inference.json", lambda c, marker: c["network_def"].update(slices=0)),
    "a fold that is true": ("inference.json", lambda c, marker: c["network_def"].update(fold=True)),
    "half a class": ("inference.json", lambda c, marker: c["network_def"].update(classes=10.5)),
    "an unknown argument": ("inference.json", lambda c, marker: c["network_def"].update(device="cuda")),
}


@pytest.mark.parametrize(("file", "edit"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_bundle_is_refused_and_nothing_in_it_runs(
    file: str, edit: Callable[[dict[str, Any], Path], object], bundle: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "it ran"
    change(bundle, file, lambda content: edit(content, marker))
    with pytest.raises(ModelError, match=rf"{file} of the model bundle 'little' is refused") as caught:
        load_network(open_bundle(bundle))
    assert caught.value.exit_code == 30
    assert not marker.exists()


def test_what_is_refused_would_have_run_in_the_loader_of_monai(bundle: Path, tmp_path: Path) -> None:
    """The expressions of the test above do something: the loader that was used before evaluates them."""
    config_parser = pytest.importorskip("monai.bundle").ConfigParser
    marker = tmp_path / "it ran"
    change(bundle, "inference.json", lambda c: c["network_def"].update(fold=f"${call(marker)} or 2"))
    parser = config_parser()
    parser.read_config(bundle / "configs" / "inference.json")
    parser.get_parsed_content("network_def")
    assert marker.exists()


class Touch:
    """Unpickled, it leaves a trace."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_under_the_name_of_the_weights_is_not_loaded(bundle: Path, tmp_path: Path) -> None:
    import hashlib

    weights, marker = bundle / "models" / "model.safetensors", tmp_path / "it ran"
    weights.write_bytes(pickle.dumps(Touch(marker)))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    change(bundle, "metadata.json", lambda c: c["weights"].update(sha256=digest))
    with pytest.raises(ModelError, match="do not match"):
        load_network(open_bundle(bundle))
    assert not marker.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '"x"', '{"network_def": ' + "9" * 10_000 + "}", "\0", "{}" + " " * 2**23]
)
@pytest.mark.parametrize("file", ["inference.json", "metadata.json"])
def test_what_is_not_a_configuration_is_refused(text: str, file: str, bundle: Path) -> None:
    (bundle / "configs" / file).write_text(text)
    with pytest.raises(ModelError, match="refused"):
        open_bundle(bundle)


@pytest.mark.parametrize("missing", ["configs/metadata.json", "configs/inference.json", "models/model.safetensors"])
def test_a_bundle_without_one_of_its_files_is_refused(missing: str, bundle: Path) -> None:
    (bundle / missing).unlink()
    with pytest.raises(ModelError, match=f"no {Path(missing).name}"):
        open_bundle(bundle)
    (bundle / missing).mkdir()
    with pytest.raises(ModelError, match="cannot be read"):
        open_bundle(bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system here")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("file", ["configs/metadata.json", "configs/inference.json", "models/model.safetensors"])
def test_a_file_that_never_ends_is_refused(file: str, kind: str, bundle: Path) -> None:
    """In a separate process: opening or reading such a file may wait forever."""
    path = bundle / file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    code = "import sys; from pathlib import Path; from SpineMeasureLib.segment.bundle import open_bundle\n"
    code += "try: open_bundle(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, timeout=60)
    assert f"{path.name} of the model bundle 'little' is refused: it is not a regular file" in done.stdout, done.stderr


def test_a_configuration_is_not_read_beyond_its_limit(bundle: Path) -> None:
    with pytest.raises(DefinitionError, match="too large"):
        list(blocks(bundle / "models" / "model.safetensors", 1000))
    size = (bundle / "models" / "model.safetensors").stat().st_size
    assert sum(map(len, blocks(bundle / "models" / "model.safetensors", size))) == size


def test_a_definition_survives_its_configuration() -> None:
    definition = NetworkDefinition(7, 9, (4, 8, 16), 1)
    assert NetworkDefinition.from_config(json.loads(json.dumps(definition.as_config()))) == definition
    least = {"network_def": {"_target_": TARGET}}
    assert NetworkDefinition.from_config(least) == NetworkDefinition()


@pytest.mark.parametrize("arguments", [{"filters": (8,)}, {"classes": 65}, {"fold": 0}, {"filters": (8, -8)}])
def test_a_definition_beyond_reason_cannot_be_made(arguments: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        SpineNet(**arguments)
