"""What a runtime says to a plugin in environment variables, and the rules for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.versions import COMMANDS

_LONGEST_INTERFACE_NAME = 15  # IFNAMSIZ, less the 0 at the end

_ATTACHMENT = ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH")
# A runtime whose namespace is gone says nothing for it in a DEL.
_NEEDED = {
    "ADD": ("CNI_NETNS", *_ATTACHMENT),
    "CHECK": ("CNI_NETNS", *_ATTACHMENT),
    "DEL": _ATTACHMENT,
    "GC": ("CNI_PATH",),
    "STATUS": ("CNI_PATH",),
    "VERSION": (),
}


class Call(NamedTuple):
    """One call of a plugin.

    command: one of `COMMANDS`. container_id, ifname: what is attached. netns: the path of its network namespace; empty
    where it is gone. args: `CNI_ARGS` as it is. path: the directories that plugins are in.
    """

    command: str
    container_id: str = ""
    netns: str = ""
    ifname: str = ""
    args: str = ""
    path: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Call:
        """Read and check what a plugin was called with. Of a VERSION call nothing is looked at: runtimes make it up."""
        command = environment.get("CNI_COMMAND", "")
        if command not in COMMANDS:
            said = f"is {command!r}" if command else "is not set"
            raise _wrong(f"CNI_COMMAND {said}: it has to be one of {', '.join(COMMANDS)}")
        if command == "VERSION":
            return cls(command)
        missing = [name for name in _NEEDED[command] if not environment.get(name)]
        if missing:
            raise _wrong(f"{command} needs {', '.join(missing)}: not set, or empty")
        call = cls(
            command,
            environment.get("CNI_CONTAINERID", ""),
            environment.get("CNI_NETNS", ""),
            environment.get("CNI_IFNAME", ""),
            environment.get("CNI_ARGS", ""),
            tuple(part for part in environment.get("CNI_PATH", "").split(":") if part),
        )
        call._check()
        return call

    def _check(self) -> None:
        if self.container_id and not is_name(self.container_id):
            raise _wrong(f"CNI_CONTAINERID, {self.container_id!r}, has to be of letters, digits, '_', '.' and '-', "
                         "and begin with a letter or a digit")  # fmt: skip
        if self.ifname:
            reason = interface_name_fault(self.ifname)
            if reason is not None:
                raise _wrong(f"CNI_IFNAME, {self.ifname!r}, {reason}")

    def to_environment(self) -> dict[str, str]:
        """The variables that say it; what is empty is set too, so that nothing of an outer call is handed on."""
        return {
            "CNI_COMMAND": self.command,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns,
            "CNI_IFNAME": self.ifname,
            "CNI_ARGS": self.args,
            "CNI_PATH": ":".join(self.path),
        }

    @property
    def arguments(self) -> dict[str, str]:
        """The pairs that `CNI_ARGS` has: `IP=10.5.1.7;IgnoreUnknown=1`."""
        found = {}
        for pair in filter(None, self.args.split(";")):
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise _wrong(f"CNI_ARGS, {self.args!r}, has to be NAME=VALUE;NAME=VALUE")
            found[name] = value
        return found


def is_name(text: str) -> bool:
    """Whether a text may be a container's ID or a network's name, which are names of files too."""
    letters = text.replace("_", "").replace(".", "").replace("-", "")
    return text.isascii() and letters.isalnum() and text[0].isalnum()


def interface_name_fault(name: str) -> str | None:
    """What keeps a text from being the name of a network interface; None if nothing does."""
    if name in ("", ".", ".."):
        return "is no name of an interface"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "is not UTF-8, and no result could name it"
    if length > _LONGEST_INTERFACE_NAME:
        return f"is longer than {_LONGEST_INTERFACE_NAME} bytes"
    if any(character in "/:" or character.isspace() for character in name):
        return "has a '/', a ':' or white space"
    return None


def _wrong(message: str) -> CNIError:
    return CNIError(Code.INVALID_ENVIRONMENT, message)
