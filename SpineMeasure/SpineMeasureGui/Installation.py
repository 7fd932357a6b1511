"""Installing what the segmentation needs: PyTorch by the choice of its extension, the rest by pip."""

import importlib
import os
import tempfile
from subprocess import CalledProcessError

import slicer
import slicer.packaging  # not loaded by Slicer itself
from slicer.i18n import tr as _

from SpineMeasureLib import needs
from SpineMeasureLib.errors import DependencyError

TITLE = "Spine Measure"


def installNeeds(onLine=None) -> bool:
    """Install what is missing, after asking once; True when it is all there. Slicer's own packages keep their versions.

    Nothing is installed in testing mode.

    :param onLine: called with every line that the installation of PyTorch prints.
    :raises DependencyError: the PyTorch extension is not installed, or the installation failed.
    """
    missing = needs.missing()
    if not missing or slicer.app.testingEnabled():
        return not missing
    torchLogic = _torchLogic() if needs.TORCH[0] in missing else None
    question = _("{packages} will be downloaded and installed in Slicer. This may take some minutes. Continue?").format(
        packages=", ".join(missing)
    )
    if not slicer.util.confirmOkCancelDisplay(question, TITLE):
        return False
    try:
        if torchLogic is not None:
            _installTorch(torchLogic, onLine)
        _installOthers()
    except CalledProcessError as error:
        raise DependencyError(
            "The packages could not be installed.",
            "Check the network connection and the space on the disk, then try again. The Python console says more.",
        ) from error
    importlib.invalidate_caches()
    return not needs.missing()


def _torchLogic():
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise DependencyError(
            "PyTorch is not installed, nor is the extension that installs it.",
            "Install the extension 'PyTorch' in the Extensions Manager, restart Slicer, then try again.",
        ) from error
    return PyTorchUtils.PyTorchUtilsLogic


def _installTorch(torchLogic, onLine) -> None:
    """What `installTorch` of the extension does, without its import of torch into Slicer at the end."""
    slicer.packaging.pip_ensure(["light-the-torch>=0.5"], prompt_install=False, prompt_restart=False, requester=TITLE)
    arguments = torchLogic._getPipInstallArguments(None, needs.TORCH[1])
    slicer.util.executePythonModule("light_the_torch", arguments, logCallback=onLine)


def _installOthers() -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraints = os.path.join(folder, "constraints.txt")
        with open(constraints, "w") as file:
            file.write(needs.constraints())
        slicer.packaging.pip_ensure(
            needs.other_requirements(),
            constraints=constraints,
            prompt_install=False,
            prompt_restart=False,
            requester=TITLE,
        )
