"""What a runtime remembers of its attachments, in files that libcni can read, as this reads libcni's."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vxlanpkt.cni.files import make_directory, replace_file
from vxlanpkt.cni.protocol.configuration import Attachment
from vxlanpkt.cni.protocol.errors import CNIError
from vxlanpkt.cni.protocol.fields import Fields, decoded

DEFAULT_CACHE_DIR = "/var/lib/cni"
_KIND = "cniCacheV1"


class Container(NamedTuple):
    """An interface of a container, to be attached or attached.

    netns: the path of its network namespace; empty where it is not known any more. args: pairs for `CNI_ARGS`.
    capability_args: what the runtime has to say to plugins with a capability, `{"portMappings": [...]}`.
    """

    container_id: str
    netns: str
    ifname: str = "eth0"
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = {}

    @property
    def attachment(self) -> Attachment:
        """What names it in a network."""
        return Attachment(self.container_id, self.ifname)

    def completed(self, known: Container) -> Container:
        """This with what *known* says and this does not."""
        return self._replace(
            netns=self.netns or known.netns,
            args=self.args or known.args,
            capability_args=self.capability_args or known.capability_args,
        )


class Cached(NamedTuple):
    """One attachment: with which configuration it was made, and what came of it."""

    network: str
    container: Container
    config: bytes
    result: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The object in the file; what is empty is left out where libcni does."""
        container = self.container
        optional = {
            "netns": container.netns,
            "cniArgs": [list(pair) for pair in container.args],
            "capabilityArgs": dict(container.capability_args),
            "result": self.result,
        }
        return {
            "kind": _KIND,
            "containerId": container.container_id,
            "config": b64encode(self.config).decode(),
            "ifName": container.ifname,
            "networkName": self.network,
            **{name: value for name, value in optional.items() if value},
        }

    @classmethod
    def from_json(cls, text: bytes) -> Cached:
        """Read a file; `CNIError` for what is none of this kind."""
        fields = Fields(decoded(text, "the cached result"), "the cached result")
        if fields.text("kind") != _KIND:
            raise fields.wrong("kind", f"is not {_KIND}")
        try:
            config = b64decode(fields.text("config"), validate=True)
        except ValueError as error:
            raise fields.wrong("config", f"is no base64: {error}") from error
        container = Container(
            fields.text("containerId"),
            fields.text("netns", ""),
            fields.text("ifName"),
            tuple(_pair(fields, pair) for pair in fields.items("cniArgs")),
            fields.object("capabilityArgs").content,
        )
        return cls(fields.text("networkName"), container, config, fields.object("result").content)


class ResultCache:
    """The files below a directory: `results/NETWORK-CONTAINER-INTERFACE`."""

    def __init__(self, directory: str | os.PathLike[str] = DEFAULT_CACHE_DIR) -> None:
        self._results = Path(directory) / "results"

    def path(self, network: str, attachment: Attachment) -> Path:
        """The file of an attachment."""
        return self._results / f"{network}-{attachment.container_id}-{attachment.ifname}"

    def find(self, network: str, attachment: Attachment) -> Cached | None:
        """What is known of an attachment; None if nothing is, or nothing that can be read."""
        return _read(self.path(network, attachment))

    def write(self, cached: Cached) -> None:
        """Remember an attachment: its file is there as a whole, or not at all."""
        path = self.path(cached.network, cached.container.attachment)
        make_directory(str(self._results), 0o700)
        replace_file(str(path), json.dumps(cached.to_json(), separators=(",", ":")).encode())

    def remove(self, network: str, attachment: Attachment) -> None:
        """Forget an attachment, whether it is there or not."""
        self.path(network, attachment).unlink(missing_ok=True)

    def attachments(self, network: str) -> Iterator[Cached]:
        """All that is known of a network, in the order of the files' names."""
        for path in sorted(self._results.glob("[!.]*")):
            cached = _read(path)
            if cached is not None and cached.network == network:
                yield cached


def _read(path: Path) -> Cached | None:
    try:
        return Cached.from_json(path.read_bytes())
    except (OSError, CNIError):
        return None


def _pair(fields: Fields, pair: object) -> tuple[str, str]:
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return pair[0], pair[1]
    raise fields.wrong("cniArgs", f"has what is no pair of strings: {json.dumps(pair)}")
