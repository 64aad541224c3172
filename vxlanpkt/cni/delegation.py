"""One network as a call sees it, and how its delegate is asked to attach and detach, in a version that it knows."""

from __future__ import annotations

import sys
from typing import Any

from vxlanpkt.cni.attachments import Attachments, Stored
from vxlanpkt.cni.execution import run_plugin, supported_versions
from vxlanpkt.cni.protocol.configuration import Attachment, PluginConfig
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.results import Result
from vxlanpkt.cni.protocol.versions import VERSIONS, at_least, newest_common
from vxlanpkt.cni.rendering import Settings, delegate_config, node_subnets


class Network:
    """One network as a call sees it: its settings, its attachments, and the call itself."""

    def __init__(self, call: Call, config: PluginConfig) -> None:
        self.call = call
        self.config = config
        self.settings = Settings.read(config)
        self.attachments = Attachments(self.settings.data_directory, config.name)
        self.attachment = Attachment(call.container_id, call.ifname)

    def run(self, command: str, config: dict[str, Any], call: Call | None = None) -> None:
        """Call the delegate for a command that answers nothing."""
        call = self.call if call is None else call
        run_plugin(config["type"], config, call._replace(command=command), self.settings.seconds)

    def rendered(self, missing: Code = Code.TRY_AGAIN_LATER) -> dict[str, Any]:
        """What the delegate is told for an ADD now; `CNIError` with the code *missing* without the node's subnet."""
        return delegate_config(self.config, self.settings, node_subnets(self.settings.subnet_file, missing))

    def rendered_if_served(self) -> dict[str, Any] | None:
        """The same; None where no ADD could be served."""
        try:
            return self.rendered()
        except CNIError:
            return None

    def understood(self, attachment: Attachment) -> Stored | None:
        """What is stored of an attachment; what cannot be understood is forgotten, as a power failure leaves it.

        Without the configuration nobody can be asked, and a container that cannot be deleted helps nobody.
        """
        try:
            return self.attachments.load(attachment)
        except CNIError as error:
            if error.code != Code.DECODING_FAILURE:
                raise
            print(f"{error}: forgotten", file=sys.stderr)
            self.attachments.remove(attachment)
            return None

    def older_version(self, config: dict[str, Any]) -> str | None:
        """The newest version that the delegate knows, if it is before that of the configuration."""
        known = supported_versions(config["type"], self.call, self.settings.seconds)
        version, refused = newest_common(known), config["cniVersion"]
        if version is None or (refused in VERSIONS and at_least(version, refused)):
            return None
        return version

    def detach(self, stored: Stored, call: Call) -> None:
        """DEL of the delegate, in the version of its ADD; or in the newest that it knows.

        An ADD may have died before it found out that the delegate is older, and a delegate may have been replaced
        since. One that never succeeded may have been given a configuration that the delegate refuses in DEL too: then
        the one of today is tried, in which that may have been mended.
        """
        try:
            self._detach_as(stored.config, call)
        except CNIError:
            today = None if stored.attached else self.rendered_if_served()
            if today is None:
                raise
            self._detach_as(today, call)

    def _detach_as(self, config: dict[str, Any], call: Call) -> None:
        try:
            self.run("DEL", config, call)
        except CNIError as error:
            if error.code != Code.INCOMPATIBLE_VERSION:
                raise
            version = self.older_version(config)
            if version is None:
                raise
            known = self.known_result(version) if "prevResult" in config else {}
            self.run("DEL", {**config, **known, "cniVersion": version}, call)

    def known_result(self, version: str) -> dict[str, Any]:
        """The member `prevResult` of a DEL in a version; none, if it is missing or cannot be understood."""
        try:
            given = self.config.prev_result
            if given is None:
                return {}
            if given.get("cniVersion") != version:
                given = Result.from_json(given, "prevResult").to_json(version)
            return {"prevResult": given}
        except CNIError as error:
            print(f"DEL goes on without what is wrong: {error}", file=sys.stderr)
            return {}
