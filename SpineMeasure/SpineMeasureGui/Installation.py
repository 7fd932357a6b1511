"""Installation of the packages that the segmentation needs: PyTorch as its extension does, the others by pip."""

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
    """Install the missing packages after asking once; Slicer's own packages keep their versions.

    Nothing is installed in testing mode.

    :param onLine: called with every line of output of the installation of PyTorch.
    :return: whether all packages are installed.
    :raises DependencyError: the PyTorch extension is not installed, or the installation failed.
    """
    missing = needs.missing()
    if not missing or slicer.app.testingEnabled():
        return not missing
    torchLogic = _torchLogic() if needs.TORCH[0] in missing else None
    question = _(
        "{packages} will be downloaded and installed in Slicer. This may take a few minutes. Continue?"
    ).format(packages=", ".join(missing))
    if not slicer.util.confirmOkCancelDisplay(question, TITLE):
        return False
    try:
        if torchLogic is not None:
            _installTorch(torchLogic, onLine)
        _installOthers()
    except CalledProcessError as error:
        raise DependencyError(
            "The packages could not be installed.",
            "Check the network connection and the disk space, then try again. The Python console has the details.",
        ) from error
    importlib.invalidate_caches()
    return not needs.missing()


def _torchLogic():
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise DependencyError(
            "Neither PyTorch nor the extension that installs it is installed.",
            "Install the extension 'PyTorch' in the Extensions Manager, restart Slicer, then try again.",
        ) from error
    return PyTorchUtils.PyTorchUtilsLogic


def _installTorch(torchLogic, onLine) -> None:
    """Do what `installTorch` of the extension does, without importing torch into Slicer at the end."""
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
