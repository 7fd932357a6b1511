"""Every bad input with the sentence and exit code that it gets, as a table.

python Testing/benchmarks/bad_inputs.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SpineMeasureLib.errors import SpineMeasureError  # noqa: E402
from SpineMeasureLib.io.checks import check_mri  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from Testing.library.test_bad_input import CASES  # noqa: E402


def main() -> None:
    """Make each bad input, read it and print what the user would see."""
    print("| input | exit code | sentence |\n|---|---|---|")
    for name, (file, make, _) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                check_mri(read_volume(make(Path(folder) / file)))
            except SpineMeasureError as error:
                print(f"| {name} | {error.exit_code} | {error} |")
            else:
                print(f"| {name} | 0 | (accepted) |")


if __name__ == "__main__":
    main()
