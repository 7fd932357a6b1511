"""Scene bundles that try to load a file from outside: an image whose voxels are all `MARK`."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

MARK = 1234
_NAME = 'fileName="Data/Spine.nrrd"'
_MEMBER = "scene/Data/Spine.nrrd"


def outside_image(folder: Path, scene: Path) -> Path:
    """Write the image to steal, in the geometry of the scene's image, with a raw file of its voxels beside it."""
    folder.mkdir()
    with zipfile.ZipFile(scene) as bundle:
        (folder / "like.nrrd").write_bytes(bundle.read(_MEMBER))
    like = sitk.ReadImage(str(folder / "like.nrrd"))
    voxels = np.full(like.GetSize()[::-1], MARK, np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.CopyInformation(like)
    sitk.WriteImage(image, str(folder / "secret.nrrd"))
    (folder / "secret.raw").write_bytes(voxels.tobytes())
    return folder / "secret.nrrd"


def rewritten(
    scene: Path, target: Path, edit: Callable[[bytes], bytes] | None = None, members: dict[str, bytes] | None = None
) -> Path:
    """Copy a bundle with an edited scene file, replaced members and additional members."""
    replaced = dict(members or {})
    with zipfile.ZipFile(scene) as bundle, zipfile.ZipFile(target, "w") as made:
        for name in bundle.namelist():
            content = replaced.pop(name, None)
            if content is None:
                content = bundle.read(name)
                if edit is not None and name.endswith(".mrml"):
                    content = edit(content)
            made.writestr(name, content)
        for name, content in replaced.items():
            made.writestr(name, content)
    return target


def naming(text: str) -> Callable[[bytes], bytes]:
    """Return an edit that replaces the reference to the image."""

    def edit(scene: bytes) -> bytes:
        assert scene.count(_NAME.encode()) == 1
        return scene.replace(_NAME.encode(), text.encode())

    return edit


def references(secret: Path) -> dict[str, Callable[[bytes], bytes]]:
    """Return edits that refer to an image outside the bundle, each in a different way."""
    path = secret.as_posix()
    doctype = f'<!DOCTYPE MRML [<!ENTITY x "{path}">]>'.encode()
    up = "../" * 20 + path.lstrip("/")

    def with_entity(scene: bytes) -> bytes:
        return naming('fileName="&x;"')(scene).replace(b"<MRML", doctype + b"<MRML", 1)

    def utf16(scene: bytes) -> bytes:
        text = naming(f'fileName="{path}"')(scene).decode()
        return text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")

    return {
        "absolute": naming(f'fileName="{path}"'),
        "decimal entity": naming(f'fileName="{path.replace("/", "&#47;")}"'),
        "hexadecimal entity": naming(f'fileName="{path.replace("/", "&#x2F;")}"'),
        "single quotes": naming(f"fileName='{path}'"),
        "spaces": naming(f'fileName\n = \t"{path}"'),
        "declared entity": with_entity,
        "relative": naming(f'fileName="{up}"'),
        "backslashes": naming(f'fileName="{up.replace("/", chr(92))}"'),
        "relative, encoded": naming(f'fileName="Data/%20/../{up}"'),
        "name with its last letter encoded": naming(f'fileName="{path[:-1]}&#{ord(path[-1])};"'),
        "UTF-16": utf16,
    }


def detached(secret: Path) -> bytes:
    """Return an image of the bundle whose voxels are in a file outside."""
    size = sitk.ReadImage(str(secret)).GetSize()
    raw = secret.with_suffix(".raw").as_posix()
    return (
        f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {size[0]} {size[1]} {size[2]}\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\nencoding: raw\n"
        f"space origin: (0,0,0)\nData File: {raw}\n\n"
    ).encode()


def with_link(scene: Path, target: Path, secret: Path) -> Path:
    """Copy a bundle so that its image is a link to an image outside."""
    link = zipfile.ZipInfo(_MEMBER)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(scene) as bundle, zipfile.ZipFile(target, "w") as made:
        for name in bundle.namelist():
            made.writestr(link if name == _MEMBER else name, str(secret) if name == _MEMBER else bundle.read(name))
    return target


def loads_outside(scene: object, path: Path) -> bool:
    """Return whether opening the unchecked bundle loads the image outside."""
    import vtkmodules.util.numpy_support as support

    scene.Clear(0)  # type: ignore[attr-defined]
    scene.ReadFromMRB(str(path), False)  # type: ignore[attr-defined]
    nodes = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")  # type: ignore[attr-defined]
    found = False
    for node in (nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())):
        image = node.GetImageData()
        if image is not None and image.GetPointData().GetScalars() is not None:
            found |= bool((support.vtk_to_numpy(image.GetPointData().GetScalars()) == MARK).all())
    scene.Clear(0)  # type: ignore[attr-defined]
    return found
