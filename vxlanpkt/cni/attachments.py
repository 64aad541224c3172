"""What is attached, on disk: `<dataDir>/<network>/<container ID>@<interface>`, a file each, and `lock` for GC.

A file has the configuration that the delegate was given, so that DEL and CHECK do not depend on what the node or the
administrator says by then. It is there before the delegate is called, and until its DEL succeeded: a process may die
at any point, and the DEL that follows finds what there is to undo.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from vxlanpkt.cni.files import make_directory, names_in, read_file, remove_file, remove_unfinished, replace_file
from vxlanpkt.cni.protocol.configuration import Attachment
from vxlanpkt.cni.protocol.environment import Call, is_name
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields, decoded

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Stored(NamedTuple):
    """One attachment: the delegate's configuration; the namespace, and what tells it from another of that path.

    attached: whether the ADD succeeded; False while nobody knows.
    """

    config: dict[str, Any]
    netns: str
    netns_identity: str
    args: str
    attached: bool = False

    @property
    def same_namespace(self) -> bool:
        """Whether the namespace is still the one that the container was attached in."""
        return bool(self.netns_identity) and identity(self.netns) == self.netns_identity

    def call(self, command: str, attachment: Attachment, path: tuple[str, ...]) -> Call:
        """A call about it, long after: without the namespace, if that is gone or another's by now."""
        netns = self.netns if self.same_namespace else ""
        return Call(command, attachment.container_id, netns, attachment.ifname, self.args, path)


class Attachments:
    """The attachments of one network, in a directory that is made with the first."""

    def __init__(self, data_directory: str, network: str) -> None:
        self._home = f"{data_directory}/{network}"

    @contextlib.contextmanager
    def guarded(self, *, alone: bool = False, make: bool = False) -> Iterator[None]:
        """While files are looked at and changed: *alone*, as GC has to be, or beside others. *make* the directory."""
        with _reported(self._home):
            if make:
                make_directory(self._home, 0o700)
            try:
                descriptor = os.open(f"{self._home}/lock", os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:  # no directory: nothing is attached
                descriptor = -1
        if descriptor < 0:
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def load(self, attachment: Attachment) -> Stored | None:
        """What is stored of an attachment, or None; a file that cannot be understood is an error of decoding."""
        path = self._path(attachment)
        with _reported(path):
            text = read_file(path)
        if text is None:
            return None
        fields = Fields(decoded(text, path), path, Code.DECODING_FAILURE)
        config = fields.object("config")
        for name in ("type", "cniVersion"):
            config.text(name)
        return Stored(
            config.content, fields.text("netns"), fields.text("netnsIdentity"), fields.text("args"),
            fields.content.get("attached") is not False,
        )  # fmt: skip

    def save(self, attachment: Attachment, stored: Stored) -> None:
        """Store an attachment, in the place of what there is of it."""
        path = self._path(attachment)
        content = {
            "config": stored.config,
            "netns": stored.netns,
            "netnsIdentity": stored.netns_identity,
            "args": stored.args,
            "attached": stored.attached,
        }
        with _reported(path):
            replace_file(path, json.dumps(content).encode())

    def remove(self, attachment: Attachment) -> None:
        """Forget an attachment."""
        path = self._path(attachment)
        with _reported(path):
            remove_file(path)

    def remove_unfinished(self) -> None:
        """Take away what processes left that died while they wrote; only *alone*."""
        with _reported(self._home):
            remove_unfinished(self._home)

    def all(self) -> tuple[Attachment, ...]:
        """All attachments that there are, in the order of their names."""
        with _reported(self._home):
            names = names_in(self._home)
        pairs = (name.partition("@") for name in names)
        return tuple(Attachment(container, ifname) for container, at, ifname in pairs if at and is_name(container))

    def _path(self, attachment: Attachment) -> str:
        return f"{self._home}/{attachment.container_id}@{attachment.ifname}"


def identity(netns: str) -> str:
    """What tells a namespace from one that has its path later; empty, if it is not there."""
    try:
        found = os.stat(netns)
        boot = (read_file(_BOOT_ID) or b"").decode().strip()  # numbers begin anew with each boot
    except OSError:
        return ""
    return f"{boot}:{found.st_dev}:{found.st_ino}"


@contextlib.contextmanager
def _reported(path: str) -> Iterator[None]:
    """An operating system's error is one of CNI."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise CNIError(
            Code.IO_FAILURE, f"{where}: {error.strerror}: `dataDir` has to be a directory to write in"
        ) from error
