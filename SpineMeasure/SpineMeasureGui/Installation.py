"""Installing what the segmentation needs: PyTorch by the choice of its extension, the rest by pip."""

import os
import tempfile

import slicer
from slicer.i18n import tr as _

from SpineMeasureLib import needs
from SpineMeasureLib.errors import DependencyError

TITLE = "Spine Measure"


def installNeeds(onLine=None) -> bool:
    """Install what is missing, after asking; True when it is all there. Slicer's own packages keep their versions.

    Nothing is installed in testing mode.

    :param onLine: called with every line that the installation prints.
    :raises DependencyError: the PyTorch extension is not installed.
    """
    if not needs.missing() or slicer.app.testingEnabled():
        return not needs.missing()
    if needs.installed("torch") is None:
        try:
            import PyTorchUtils
        except ModuleNotFoundError as error:
            raise DependencyError(
                "PyTorch is not installed, nor is the extension that installs it.",
                "Install the extension 'PyTorch' in the Extensions Manager, restart Slicer, then try again.",
            ) from error
        question = _("PyTorch will be downloaded and installed. This may take some minutes. Go on?")
        if not slicer.util.confirmOkCancelDisplay(question, TITLE):
            return False
        _installTorch(PyTorchUtils.PyTorchUtilsLogic, onLine)
    with tempfile.TemporaryDirectory() as folder:
        constraints = os.path.join(folder, "constraints.txt")
        with open(constraints, "w") as file:
            file.write(needs.constraints())
        slicer.packaging.pip_ensure(
            needs.other_requirements(), constraints=constraints, prompt_restart=False, requester=TITLE
        )
    return not needs.missing()


def _installTorch(torchLogic, onLine) -> None:
    """What `installTorch` of the extension does, without its import of torch into Slicer at the end."""
    slicer.packaging.pip_ensure(["light-the-torch>=0.5"], prompt_install=False, prompt_restart=False, requester=TITLE)
    arguments = torchLogic._getPipInstallArguments(None, needs.TORCH[1])
    slicer.util.executePythonModule("light_the_torch", arguments, logCallback=onLine)
