"""What is installed is what is in the tree: CMake lists, resources, wheel, import rules."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "SpineMeasureLib"


def cmake_list(text: str, name: str) -> set[str]:
    """Entries of a CMake list variable."""
    found = re.search(rf"set\({re.escape(name)}\n(.*?)\n\s*\)", text, re.DOTALL)
    assert found, f"{name} is not set"
    return set(found.group(1).split())


def test_every_library_file_is_listed_for_the_slicer_extension() -> None:
    listed = cmake_list((LIBRARY / "CMakeLists.txt").read_text(), "SpineMeasureLib_PYTHON_SCRIPTS")
    present = {str(p.relative_to(LIBRARY)) for p in LIBRARY.rglob("*.py")}
    assert listed == present


def test_every_module_file_is_listed_for_the_slicer_extension() -> None:
    module = ROOT / "SpineMeasure"
    text = (module / "CMakeLists.txt").read_text().replace("${MODULE_NAME}", "SpineMeasure")
    scripts = cmake_list(text, "MODULE_PYTHON_SCRIPTS")
    resources = cmake_list(text, "MODULE_PYTHON_RESOURCES")
    assert scripts == {str(p.relative_to(module)) for p in module.rglob("*.py")}
    present = {str(p.relative_to(module)) for p in (module / "Resources").rglob("*") if p.is_file()}
    assert resources == present


def test_extension_name_is_the_project_and_its_urls_stand_on_one_line() -> None:
    text = (ROOT / "CMakeLists.txt").read_text()
    assert "project(SpineMeasure)" in text
    for variable in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS", "EXTENSION_DESCRIPTION"):
        assert re.search(rf'^set\({variable} "[^"\n]+"\)$', text, re.MULTILINE)


def test_pictures_of_the_extension_catalogue_are_in_the_repository() -> None:
    text = (ROOT / "CMakeLists.txt").read_text()
    urls = re.findall(r"https://raw\.githubusercontent\.com/[^ \"]+", text)
    assert len(urls) >= 3
    for url in urls:
        assert (ROOT / url.split("/main/", 1)[1]).is_file(), url


@pytest.mark.skipif(not shutil.which("cmake"), reason="no CMake: apt-get install cmake")
def test_the_extension_installs_data_without_screenshots(tmp_path: Path) -> None:
    """The commands of the extension that copy data, run by CMake in a project of their own."""
    text = (ROOT / "CMakeLists.txt").read_text()
    commands = re.findall(r"^(?:install\(DIRECTORY|file\(COPY).*?\)$", text, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    source = tmp_path / "source"
    source.mkdir()
    for name in ("Resources", "models"):
        (source / name).symlink_to(ROOT / name)
    lines = ["cmake_minimum_required(VERSION 3.16)", "project(Data NONE)"]
    lines += ["set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib)", "set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib)"]
    (source / "CMakeLists.txt").write_text("\n".join([*lines, *commands]))
    build, prefix = tmp_path / "build", tmp_path / "prefix"
    subprocess.run(["cmake", "-S", source, "-B", build], check=True, capture_output=True)
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, capture_output=True)
    for root in (build, prefix):
        data = root / "lib" / "SpineMeasureData"
        assert (data / "Resources" / "sample" / "lumbar_t2.nii.gz").exists(), root
        assert (data / "models" / "spine_mri" / "configs" / "metadata.json").exists(), root
        assert not list(data.rglob("Screenshots")), root


def imports_of(path: Path) -> set[str]:
    """Top-level names of every module imported anywhere in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("segment", {"slicer", "vtk", "vtkmodules", "qt", "ctk", "typer", "rich", "pandas", "matplotlib"}),
        ("measure", {"slicer", "vtk", "vtkmodules", "qt", "ctk", "torch", "monai", "typer", "rich", "pandas"}),
        ("export", {"slicer", "vtk", "vtkmodules", "qt", "ctk", "torch", "monai", "typer", "rich"}),
        ("review", {"qt", "ctk", "torch", "monai", "typer", "rich", "pandas", "matplotlib"}),
        ("web", {"qt", "ctk", "torch", "monai", "typer", "rich", "pandas", "matplotlib"}),
        ("train", {"slicer", "vtk", "vtkmodules", "qt", "ctk", "typer", "rich"}),
    ],
)
def test_layers_import_only_what_they_may(folder: str, forbidden: set[str]) -> None:
    for path in (LIBRARY / folder).rglob("*.py"):
        assert not imports_of(path) & forbidden, path.name


def test_training_is_imported_by_no_other_layer() -> None:
    for path in LIBRARY.rglob("*.py"):
        if path.parent.name != "train" and path.name != "cli_train.py":
            assert "train" not in re.findall(r"from \.+(\w+)", path.read_text()), path.name


def test_the_child_process_loads_no_package_that_slicer_lacks() -> None:
    code = (
        "import sys, SpineMeasureLib.__main__, SpineMeasureLib.measure, SpineMeasureLib.segment;"
        "print([m for m in ('typer', 'rich', 'pandas', 'matplotlib', 'torch', 'slicer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_sources_are_ascii() -> None:
    for path in (*LIBRARY.rglob("*.py"), *(ROOT / "SpineMeasure").rglob("*.py"), *(ROOT / "Testing").rglob("*.py")):
        assert path.read_bytes().isascii(), path


@pytest.mark.slow
def test_wheel_in_an_empty_environment_measures_the_sample(tmp_path: Path) -> None:
    """The wheel is installed without its dependencies, which a path file lends from this environment."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    wheel = next(tmp_path.glob("spinemeasure-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert any(n.endswith("_data/Resources/sample/lumbar_t2.nii.gz") for n in names)
    assert any(n.endswith("_data/models/spine_mri/models/model.safetensors") for n in names)
    assert not [n for n in names if "Screenshots" in n]
    environment = tmp_path / "empty"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([binaries / "python", "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    site = next(environment.rglob("site-packages"))
    # Only third-party packages are lent: this checkout's own editable install is a path file too and is not followed.
    lent = Path(next(p for p in sys.path if p.endswith("site-packages")))
    (site / "lent.pth").write_text(str(lent) + "\n")
    code = "from SpineMeasureLib.resources import data_path; print(data_path('Resources/sample'))"
    command = [binaries / "python", "-c", code]
    # What the caller's PYTHONPATH finds is not what the wheel brings.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    data = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=own)
    sample = Path(data.stdout.strip())
    assert site in sample.parents
    out = tmp_path / "out"
    command = [binaries / "spinemeasure", "measure", sample / "lumbar_t2.nii.gz", "-o", out]
    command += ["--labels", sample / "lumbar_t2_labels.nii.gz"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, env=own)
    assert "L4-L5,disc_height_middle,chord50" in (out / "measurements.csv").read_text()
