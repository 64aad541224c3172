"""An image of 2 MB, made of the machine's static busybox: one file that containerd and podman load, no registry."""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

IMAGE = "docker.io/library/vxlanpkt-busybox:1"
BUSYBOX = Path("/bin/busybox")
_APPLETS = ("cat", "head", "ip", "md5sum", "nc", "netstat", "ping", "sh", "sleep")
_DIRECTORIES = ("bin", "dev", "etc", "proc", "sys", "tmp")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_image(path: Path) -> None:
    """Write an OCI image layout and a Docker archive over the same blobs, in one tar file."""
    layer = _layer()
    config = _json({
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    })  # fmt: skip
    manifest = _json({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _described("application/vnd.oci.image.config.v1+json", config),
        "layers": [_described("application/vnd.oci.image.layer.v1.tar", layer)],
    })  # fmt: skip
    named = {"io.containerd.image.name": IMAGE, "org.opencontainers.image.ref.name": IMAGE.rpartition(":")[2]}
    index = {
        "schemaVersion": 2,
        "manifests": [{**_described("application/vnd.oci.image.manifest.v1+json", manifest), "annotations": named}],
    }
    docker = [{"Config": _blob(config), "RepoTags": [IMAGE], "Layers": [_blob(layer)]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json(index))
        _add(archive, "manifest.json", _json(docker))
        for content in (config, manifest, layer):
            _add(archive, _blob(content), content)


def _layer() -> bytes:
    """The file system: busybox under the names of what the tests run."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in _DIRECTORIES:
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(directory)
        _add(archive, "bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return content.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, BytesIO(content))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(content: bytes) -> str:
    return f"blobs/{_digest(content).replace(':', '/')}"


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}
