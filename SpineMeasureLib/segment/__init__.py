"""Segmentation: model bundle -> tissues -> instances -> named levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress, silent

if TYPE_CHECKING:
    from ..segmentation import SpineSegmentation
    from ..volume import Volume
    from .labels.disc_points import DiscPoint


def segment_volume(
    volume: Volume,
    *,
    bundle: Path | None = None,
    device: str = "auto",
    lowest_disc: str | None = None,
    disc_points: Sequence[DiscPoint] = (),
    progress: Progress = silent,
) -> SpineSegmentation:
    """Segment a spine MRI into named structures.

    >>> from SpineMeasureLib.io.read import read_volume
    >>> segmentation = segment_volume(read_volume("scan.nii.gz"))  # doctest: +SKIP
    >>> [disc.level for disc in segmentation.of_kind(Kind.DISC)]  # doctest: +SKIP
    ['T11-T12', 'T12-L1', 'L1-L2', 'L2-L3', 'L3-L4', 'L4-L5', 'L5-S1']

    :param volume: MRI of the spine in any storage orientation.
    :param bundle: folder of a model bundle; the bundled model if None.
    :param device: ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    :param lowest_disc: name of the lowest disc in view (``"L5-S1"``) to anchor the levels by hand.
    :param disc_points: points in or behind discs that name their levels.
    :return: structures on the grid of `volume`; `provenance` holds model name, version, SHA-256 and device.
    :raises DependencyError: torch or MONAI is not installed.
    :raises ModelError: the bundle is missing or damaged.
    :raises DeviceError: the device is not available or memory ran out.
    :raises NothingFoundError: no disc and no vertebra was found.
    :raises LevelNameError: `lowest_disc` or the disc points do not fit.
    """
    from ..errors import DependencyError

    try:
        from .bundle import load_network, open_bundle
        from .device import choose_device
        from .inference import predict_tissue
    except ImportError as error:
        raise DependencyError(
            f"The segmentation needs the package '{error.name}', which is not installed.",
            "Install it with: pip install 'spinemeasure', or through the PyTorch extension inside Slicer.",
        ) from error
    from dataclasses import replace

    from ..certainty import Certainty
    from ..segmentation import segmentation_on
    from .labels.disc_points import named_by_points
    from .naming.instances import name_structures

    progress("load model", 0.0, "")
    opened = open_bundle(bundle)
    chosen = choose_device(device)
    network = load_network(opened)
    progress("segment", 0.0, f"{opened.name} {opened.version}")
    result = predict_tissue(volume, network, chosen, progress)
    progress("name levels", 0.0, "")

    def name(lowest: str | None) -> SpineSegmentation:
        return name_structures(
            result.tissue, result.affine, confidence=result.probability, regions=result.region, lowest_disc=lowest
        )

    named = named_by_points(name, disc_points, lowest_disc)
    found = replace(
        named,
        warnings=(*result.warnings, *named.warnings),
        certainty=Certainty(result.probability, opened.calibration),
        provenance={
            "model": opened.name,
            "model_version": opened.version,
            "model_sha256": opened.sha256,
            "device": result.device,
        },
    )
    return segmentation_on(volume, found)
