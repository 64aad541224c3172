"""Network configurations: the list that an administrator writes, and the object that a plugin gets on its input."""

from __future__ import annotations

from typing import Any, NamedTuple

from vxlanpkt.cni.protocol.environment import is_name
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.fields import Fields, decoded
from vxlanpkt.cni.protocol.versions import VERSIONS, first_version, has_command, newest_common

VALID_ATTACHMENTS = "cni.dev/valid-attachments"


class Attachment(NamedTuple):
    """A container's interface in a network: what is to be kept when others are collected."""

    container_id: str
    ifname: str


class PluginConfig(NamedTuple):
    """What a plugin is configured with, of one call or in a list.

    version, name: of the network. type: the plugin's executable. content: the whole object, with these members.
    """

    version: str
    name: str
    type: str
    content: dict[str, Any]

    @classmethod
    def from_json(cls, text: bytes | str) -> PluginConfig:
        """Read what a plugin got on its standard input."""
        content = decoded(text, "the network configuration on standard input")
        fields = Fields(content)
        version = known_version(fields)
        return cls(version, _network_name(fields), _plugin_type(fields), content)

    @property
    def fields(self) -> Fields:
        """The members, to be read by name."""
        return Fields(self.content)

    @property
    def prev_result(self) -> dict[str, Any] | None:
        """What the plugin before in the list answered, or the last one of an ADD."""
        return self.fields.object("prevResult").content if self.fields.has("prevResult") else None

    @property
    def valid_attachments(self) -> frozenset[Attachment]:
        """The attachments that GC has to keep: of a call without any list of them, an error."""
        if VALID_ATTACHMENTS not in self.content:  # null is how Go writes a list of none
            raise self.fields.wrong(VALID_ATTACHMENTS, "is missing: without it, GC would remove everything")
        return frozenset(
            Attachment(each.text("containerID"), each.text("ifname")) for each in self.fields.objects(VALID_ATTACHMENTS)
        )

    def require_command(self, command: str) -> None:
        """Refuse a command that the configuration's version does not have."""
        if not has_command(self.version, command):
            needed = f"the network's cniVersion has to be {first_version(command)} or newer"
            raise CNIError(Code.INCOMPATIBLE_VERSION, f"CNI {self.version} has no {command}: {needed}")


class NetworkConfigList(NamedTuple):
    """A network: plugins that are run one behind the other.

    versions: those that the network may be run in, of which the runtime takes the newest that it knows. disable_check,
    disable_gc: commands that the runtime is not to call. load_only_inlined_plugins: no others from a directory.
    plugins: as they are written, without the network's name and version.
    """

    versions: tuple[str, ...]
    name: str
    plugins: tuple[dict[str, Any], ...]
    disable_check: bool = False
    disable_gc: bool = False
    load_only_inlined_plugins: bool = False

    @classmethod
    def from_json(cls, text: bytes | str) -> NetworkConfigList:
        """Read a .conflist."""
        fields = Fields(decoded(text, "the network configuration list"))
        plugins = []
        for each in fields.objects("plugins"):
            _plugin_type(each)
            plugins.append(each.content)
        if not plugins:
            raise fields.wrong("plugins", "is missing, or empty: a network needs one plugin at least")
        return cls(
            _offered(fields),
            _network_name(fields),
            tuple(plugins),
            fields.flag("disableCheck"),
            fields.flag("disableGC"),
            fields.flag("loadOnlyInlinedPlugins"),
        )

    @property
    def version(self) -> str:
        """The newest version of the network that this library knows too."""
        found = newest_common(self.versions)
        assert found is not None, "looked at when it was read"
        return found

    def to_json(self) -> dict[str, Any]:
        """The object that it was read from, or would be."""
        found: dict[str, Any] = {"cniVersion": self.versions[0]}
        if len(self.versions) > 1:
            found["cniVersions"] = list(self.versions)
        found["name"] = self.name
        flags = {
            "disableCheck": self.disable_check,
            "disableGC": self.disable_gc,
            "loadOnlyInlinedPlugins": self.load_only_inlined_plugins,
        }
        found.update({name: True for name, value in flags.items() if value})
        return {**found, "plugins": list(self.plugins)}


def known_version(fields: Fields) -> str:
    """The `cniVersion` of an object, which has to be one of `VERSIONS`."""
    version = fields.text("cniVersion", "")
    if version not in VERSIONS:
        said = f"is {version!r}" if version else "is missing"
        raise CNIError(
            Code.INCOMPATIBLE_VERSION, f"{fields.path('cniVersion')} {said}: it has to be one of {', '.join(VERSIONS)}"
        )
    return version


def _offered(fields: Fields) -> tuple[str, ...]:
    """The versions of a list: `cniVersion` and `cniVersions`, each once."""
    first = fields.text("cniVersion", "")
    offered = tuple(dict.fromkeys(filter(None, (first, *fields.texts("cniVersions")))))
    if newest_common(offered) is None:
        said = f"have {', '.join(offered)}" if offered else "are missing"
        raise CNIError(
            Code.INCOMPATIBLE_VERSION, f"cniVersion and cniVersions {said}: one has to be of {', '.join(VERSIONS)}"
        )
    return offered


def _network_name(fields: Fields) -> str:
    name = fields.text("name")
    if not is_name(name):
        raise fields.wrong("name", f"is {name!r}: it has to be of letters, digits, '_', '.' and '-', "
                                   "and begin with a letter or a digit")  # fmt: skip
    return name


def _plugin_type(fields: Fields) -> str:
    kind = fields.text("type")
    if not kind or "/" in kind or kind in (".", ".."):
        raise fields.wrong("type", f"is {kind!r}: it has to be the name of an executable in CNI_PATH")
    return kind
