"""The module of Slicer on stand-ins, without a screen."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
