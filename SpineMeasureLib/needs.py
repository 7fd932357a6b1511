"""Packages that the segmentation needs and Slicer does not have, checked without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: Installed by Slicer's PyTorch extension, which chooses the right build. 2.5 has `torch.OutOfMemoryError`.
TORCH = ("torch", ">=2.5")
#: Installed from the package index. All bounds are equal to pyproject.toml, which Slicer does not have (tested).
OTHERS = (("monai", ">=1.5,<1.7"), ("safetensors", ">=0.4"))
#: An installation must not replace Slicer's packages or the PyTorch build for the graphics card.
_KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "torch")


def installed(package: str) -> str | None:
    """Return the version of a package, None if it is not installed. The package is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def missing() -> list[str]:
    """Return the required packages that are not installed, or installed in an unsuitable version."""
    return [name for name, bounds in (TORCH, *OTHERS) if not _fits(installed(name), bounds)]


def _fits(found: str | None, bounds: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return found is not None and SpecifierSet(bounds).contains(found, prereleases=True)


def other_requirements() -> list[str]:
    """Return the requirements for pip, without PyTorch."""
    return [name + bounds for name, bounds in OTHERS]


def constraints() -> str:
    """Return a constraints file for pip that keeps the installed versions."""
    return "".join(f"{name}=={found}\n" for name in _KEPT if (found := installed(name)))
