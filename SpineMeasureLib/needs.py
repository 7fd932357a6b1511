"""What the segmentation needs beyond what Slicer has, asked without importing any of it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: Comes through Slicer's PyTorch extension, which chooses the build for the computer. 2.5: `torch.OutOfMemoryError`.
TORCH = ("torch", ">=2.5")
#: Come from the package index. All bounds are those of pyproject.toml, which Slicer does not have; a test holds it.
OTHERS = (("monai", ">=1.5,<1.7"), ("safetensors", ">=0.4"))
#: An installation must not replace these: Slicer's own, and the PyTorch that fits the graphics card.
_KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "torch")


def installed(package: str) -> str | None:
    """Version of an installed package, None when it is not installed. The package is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def missing() -> list[str]:
    """Names of the needed packages that are not installed, or in a version that does not fit."""
    return [name for name, bounds in (TORCH, *OTHERS) if not _fits(installed(name), bounds)]


def _fits(found: str | None, bounds: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return found is not None and SpecifierSet(bounds).contains(found, prereleases=True)


def other_requirements() -> list[str]:
    """Requirements for pip, without PyTorch."""
    return [name + bounds for name, bounds in OTHERS]


def constraints() -> str:
    """Contents of a constraints file that keeps the versions that are installed."""
    return "".join(f"{name}=={found}\n" for name in _KEPT if (found := installed(name)))
