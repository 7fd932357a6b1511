"""Hostile scene bundles: 3D Slicer's reader would load files from outside; a checked copy never does."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from SpineMeasureLib.errors import TooLargeError, UnreadableInputError
from SpineMeasureLib.review.mrml import bundle
from SpineMeasureLib.review.mrml.bundle import check_scene, copy_checked

from . import hostile

MEMBERS = ("scene/scene.mrml", "scene/Data/x.nrrd", "scene/Data/50% a.nrrd")


@pytest.fixture(scope="module")
def application() -> Any:
    """Return the MRML application of this process, which must live as long as its scene is used."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SpineMeasureLib.review.mrml.app import mrml_application

    return mrml_application()


@pytest.fixture(scope="module")
def secret(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an image outside every bundle."""
    return hostile.outside_image(tmp_path_factory.mktemp("outside") / "images", measured / "scene.mrb")


WAYS = tuple(hostile.references(Path("/x.nrrd")))


@pytest.mark.parametrize("way", WAYS)
def test_no_reference_leads_outside(application: Any, measured: Path, secret: Path, tmp_path: Path, way: str) -> None:
    edit = hostile.references(secret)[way]
    made = hostile.rewritten(measured / "scene.mrb", tmp_path / "hostile.mrb", edit)
    assert hostile.loads_outside(application.scene, made), "this bundle is not an attack"
    with pytest.raises(UnreadableInputError):
        copy_checked(made, tmp_path / "copy.mrb")


def test_neither_links_nor_headers_lead_outside(application: Any, measured: Path, secret: Path, tmp_path: Path) -> None:
    scene = measured / "scene.mrb"
    header = {"scene/Data/Spine.nrrd": hostile.detached(secret)}
    for made in (
        hostile.rewritten(scene, tmp_path / "header.mrb", None, header),
        hostile.with_link(scene, tmp_path / "link.mrb", secret),
    ):
        assert hostile.loads_outside(application.scene, made), "this bundle is not an attack"
        with pytest.raises(UnreadableInputError):
            copy_checked(made, tmp_path / f"copy-{made.name}")


def test_a_checked_copy_opens_as_its_original(application: Any, measured: Path, tmp_path: Path) -> None:
    from SpineMeasureLib.review.mrml.links import case_nodes

    copy_checked(measured / "scene.mrb", tmp_path / "scene.mrb")
    with zipfile.ZipFile(measured / "scene.mrb") as original, zipfile.ZipFile(tmp_path / "scene.mrb") as copy:
        names = [name for name in original.namelist() if not name.endswith("/")]
        assert sorted(copy.namelist()) == sorted(names)
        assert all(copy.read(name) == original.read(name) for name in names)
    assert application.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert len(case_nodes(application.scene)) == 1
    application.scene.Clear(0)


@pytest.mark.parametrize(
    "name", ["5: T2 sag/x", "scan[t1] a b", "Wirbels\u00e4ule", "\u60a3\u8005 T2", "50% 'x'", "a#b+c~d"]
)
def test_images_of_any_name_open_again(application: Any, measured: Path, tmp_path: Path, name: str) -> None:
    scene = application.scene
    assert scene.ReadFromMRB(str(measured / "scene.mrb"), True)
    volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    scene.RemoveNode(volume.GetStorageNode())
    volume.SetName(name)
    assert scene.WriteToMRB(str(tmp_path / "written.mrb"))
    copy_checked(tmp_path / "written.mrb", tmp_path / "scene.mrb")
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert volume.GetName() == name and volume.GetImageData() is not None
    scene.Clear(0)


def test_names_of_files_are_decoded_as_slicer_does(application: Any) -> None:
    import slicer

    node = slicer.vtkMRMLScalarVolumeNode()
    for code in [f"%{n:02X}" for n in range(256)] + [f"%{n:02x}" for n in range(256)] + ["%252F", "%2525", "%%20"]:
        assert bundle.decoded(code) == node.URLDecodeString(code)
    scene = application.scene
    kinds = [scene.GetNthRegisteredNodeClass(n) for n in range(scene.GetNumberOfRegisteredNodeClasses())]
    tags = [kind.GetNodeTagName() for kind in kinds if kind.IsA("vtkMRMLStorageNode")]
    assert len(tags) > 10 and all("storage" in tag.lower() for tag in tags)


def scene_text(attributes: str, tag: str = "VolumeArchetypeStorage") -> bytes:
    return f"<MRML><SceneView><{tag} {attributes}></{tag}></SceneView></MRML>".encode()


def check(text: bytes) -> None:
    check_scene(text, MEMBERS, PurePosixPath("scene"))


@pytest.mark.parametrize(
    "attributes",
    ['fileName="Data/x.nrrd"', "fileName=''", 'fileName="Data/50%25%20a.nrrd"', 'fileListMember3="x.nrrd" uri=""'],
)
def test_files_of_the_bundle_are_accepted(attributes: str) -> None:
    check(scene_text(attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        *(f'{name}="{value}"' for name in ("fileName", "fileListMember0", "fileListMemberX", "FILENAME") for value in (
            "/etc/x.nrrd", "//host/x.nrrd", "\\\\host\\x.nrrd", "C:\\x.nrrd", "C:x.nrrd", "file:///etc/x.nrrd",
            "~/x.nrrd", "http://example.org/x.nrrd", "../x.nrrd", "Data/../../x.nrrd", "Data\\..\\..\\x.nrrd",
            "Data/none.nrrd", "&#x2f;etc/x.nrrd", "%2Fetc/x.nrrd", "Data/&#10;x.nrrd",
        )),
        'uri="x.nrrd"', 'uriListMember1="x.nrrd"', 'uriListMember="file:x"', 'otherFile="/x"', 'sourceUrl="http://x"',
        'defaultWriteFileExtension="nrrd/../../../x"', 'fileName="Data/x.nrrd" fileName="/x.nrrd"',
    ],
)  # fmt: skip
def test_every_other_file_is_refused_with_either_kind_of_quotes(attributes: str) -> None:
    for text in (attributes, attributes.replace('"', "'")):
        with pytest.raises(UnreadableInputError):
            check(scene_text(text))
        with pytest.raises(UnreadableInputError):
            check(scene_text(text, "vtkMRMLSomeStorageNode"))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"<MRML>", b"text", b"<MRML/>\0", "<MRML/>".encode("utf-16"), b"<MRML/><MRML/>",
        b'<?xml version="1.0" encoding="iso-8859-1"?><MRML/>', b'<?xml version="1.0" encoding="cp037"?><MRML/>',
        b'<!DOCTYPE MRML SYSTEM "http://example.org/x"><MRML/>', b"<MRML a='&x;'/>",
        b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]><MRML/>',
    ],
)  # fmt: skip
def test_scene_files_are_plain_xml_in_utf8(text: bytes) -> None:
    with pytest.raises(UnreadableInputError):
        check(text)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


SCENE = {"scene/scene.mrml": b"<MRML/>"}
HDF5 = b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize(
    "files",
    [
        {}, {"x": b""}, {**SCENE, "scene/other.mrml": b"<MRML/>"}, {"../scene.mrml": b"<MRML/>"},
        *({**SCENE, name: b"x"} for name in (
            "../x.txt", "/etc/x.txt", "a/../../x.txt", "..\\x.txt", "C:\\x.txt", "a.mrb", "a.zip", "a.h5", "a.vtm",
            "a.mhd", "a.mha", "a.nhdr", "a.py", "a.so", "noending", "SCENE/SCENE.MRML",
        )),
        {**SCENE, "a.nrrd": b"not NRRD"}, {**SCENE, "a.nrrd": b"NRRD0004\n"},
        {**SCENE, "a.nrrd": b"NRRD0004\n# " + b"x" * 2**20 + b"\ndata file: /x\n\n"},
        {**SCENE, "a.txt": b"NRRD0001\r\nDATAFILE: x.raw\r\n\r\n"}, {**SCENE, "a.json": HDF5 + b"\0" * 9},
        {**SCENE, "a.json": b"\0" * 2048 + HDF5}, {**SCENE, "a.txt": b"\0" * 2**21 + HDF5},
    ],
)  # fmt: skip
def test_files_that_may_refer_to_others_are_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(UnreadableInputError):
        copy_checked(packed(tmp_path / "x.mrb", files), tmp_path / "copy.mrb")
    assert {f.name for f in tmp_path.rglob("*")} <= {"x.mrb", "copy.mrb"}


@pytest.mark.parametrize("damage", ["checksum", "cut off", "no zip", "encrypted", "empty"])
def test_damage_is_detected_before_a_scene_is_opened(measured: Path, tmp_path: Path, damage: str) -> None:
    data = bytearray((measured / "scene.mrb").read_bytes())
    if damage == "checksum":
        data[data.index(b"T12 body height middle edges.mrk.json") + 500] ^= 0xFF
    if damage == "encrypted":
        data[data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4) + 8] |= 1
    content = {"cut off": bytes(data[:5000]), "no zip": b"PK\x03\x04 text", "empty": b""}.get(damage, bytes(data))
    (tmp_path / "x.mrb").write_bytes(content)
    with pytest.raises(UnreadableInputError, match="damaged"):
        copy_checked(tmp_path / "x.mrb", tmp_path / "copy.mrb")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(tmp_path / "x.mrb", {**SCENE, "a.txt": b"\0" * 5_000_000})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(TooLargeError):
        copy_checked(bomb, tmp_path / "copy.mrb", limit=1_000_000)
    many = packed(tmp_path / "many.mrb", {**SCENE, **{f"{n}.txt": b"" for n in range(10_000)}})
    with pytest.raises(TooLargeError):
        copy_checked(many, tmp_path / "copy2.mrb")
    monkeypatch.setattr(bundle, "_MRML_LIMIT", 1000)
    long = packed(tmp_path / "long.mrb", {"scene.mrml": b"<MRML>" + b" " * 2000 + b"</MRML>"})
    with pytest.raises(TooLargeError):
        copy_checked(long, tmp_path / "copy3.mrb")
    assert all(f.stat().st_size < 2000 for f in tmp_path.glob("copy*"))


def test_a_name_in_utf8_without_its_flag_stays(tmp_path: Path) -> None:
    """Some programs write names in UTF-8 without the flag for it."""
    scene = '<MRML><TableStorage fileName="W\u00f6rbe.txt"/></MRML>'.encode()
    with zipfile.ZipFile(tmp_path / "x.mrb", "w") as made:
        made.writestr("scene.mrml", scene)
        made.writestr("Wxxrbe.txt", b"x")
    data = (tmp_path / "x.mrb").read_bytes().replace(b"Wxxrbe", "W\u00f6rbe".encode())
    (tmp_path / "x.mrb").write_bytes(data)
    copy_checked(tmp_path / "x.mrb", tmp_path / "copy.mrb")
    with zipfile.ZipFile(tmp_path / "copy.mrb") as copy:
        assert copy.namelist() == ["scene.mrml", "W\u00f6rbe.txt"]
