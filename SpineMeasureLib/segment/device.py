"""Which processor the network runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DeviceError, OptionError

if TYPE_CHECKING:
    import torch

CHOICES = ("auto", "cuda", "mps", "cpu")


def choose_device(requested: str = "auto") -> torch.device:
    """Return the device to use: as requested, or CUDA, then MPS, then CPU.

    :raises OptionError: there is no such device.
    :raises DeviceError: the computer does not have it.
    """
    import torch

    if requested not in CHOICES:
        raise OptionError(f"There is no device called '{requested}'.", f"Use one of: {', '.join(CHOICES)}.")
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if requested == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if (requested == "cuda" and not has_cuda) or (requested == "mps" and not has_mps):
        raise DeviceError(
            f"This computer has no {requested.upper()} device that PyTorch can use.",
            "Use --device auto or --device cpu.",
        )
    return torch.device(requested)


def describe(device: torch.device) -> str:
    """Return one line for people: the device and its name."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        count = torch.get_num_threads()
        return f"cpu ({count} thread{'s' if count > 1 else ''})"
    return device.type


def explain(device: torch.device, requested: str) -> str:
    """Return why this device was chosen, in a few words for people."""
    import torch

    if requested != "auto":
        return "as chosen"
    if device.type != "cpu":
        return "the fastest that PyTorch can use here"
    if not torch.backends.cuda.is_built() and not torch.backends.mps.is_built():
        return f"the installed PyTorch {torch.__version__} was built for the CPU only"
    return f"PyTorch {torch.__version__} finds no graphics card that it can use"
