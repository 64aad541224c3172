"""The commands of `vxlanpkt-cni`: it hands on to a delegate, and remembers what it handed on."""

from __future__ import annotations

import sys
from typing import Any

from vxlanpkt.cni.attachments import Attachments, Stored, identity
from vxlanpkt.cni.execution import find_plugin, run_add, run_plugin, supported_versions
from vxlanpkt.cni.protocol.configuration import VALID_ATTACHMENTS, Attachment, PluginConfig
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


def add(call: Call, config: PluginConfig) -> dict[str, Any]:
    """Attach: nothing is left of one that fails."""
    network = Network(call, config)
    rendered = delegate_config(config, network.settings, node_subnets(network.settings.subnet_file))
    with network.attachments.guarded(make=True):
        _clear_way(network)
        try:
            result = _added(network, rendered)
        except CNIError as error:
            if error.code != Code.INCOMPATIBLE_VERSION:
                raise
            version = _older_version(network, rendered)
            if version is None:
                raise
            result = _added(network, {**rendered, "cniVersion": version})
    if result["cniVersion"] != config.version:
        return Result.from_json(result).to_json(config.version)
    return result


def _clear_way(network: Network) -> None:
    """What is stored under the same name is of a container that is gone, as after a reboot; or it is an error."""
    stored = _understood(network, network.attachment)
    if stored is None:
        return
    container, ifname = network.attachment
    if stored.same_namespace:
        raise CNIError(Code.INVALID_ENVIRONMENT, f"{ifname} of {container} is attached already: it needs a DEL first")
    _detach(network, stored, stored.call("DEL", network.attachment, network.call.path))
    network.attachments.remove(network.attachment)


def _understood(network: Network, attachment: Attachment) -> Stored | None:
    """What is stored of an attachment; what cannot be understood is forgotten, as a power failure leaves it.

    Without the configuration nobody can be asked, and a container that cannot be deleted helps nobody.
    """
    try:
        return network.attachments.load(attachment)
    except CNIError as error:
        if error.code != Code.DECODING_FAILURE:
            raise
        print(f"{error}: forgotten", file=sys.stderr)
        network.attachments.remove(attachment)
        return None


def _added(network: Network, config: dict[str, Any]) -> dict[str, Any]:
    """The delegate's result; if there is none, what it may have done is undone."""
    call = network.call
    stored = Stored(config, call.netns, identity(call.netns), call.args)
    network.attachments.save(network.attachment, stored)
    try:
        result = run_add(config["type"], config, call, network.settings.seconds)
        network.attachments.save(network.attachment, stored._replace(attached=True))
        return result
    except CNIError as failure:
        try:
            _undo(network, config, failure)
        except CNIError as error:  # what is stored stays, for the runtime's own DEL
            details = "; ".join(filter(None, (failure.details, f"and it could not be undone: {error}")))
            raise CNIError(failure.code, failure.message, details) from failure
        raise


def _undo(network: Network, config: dict[str, Any], failure: CNIError) -> None:
    """DEL after an ADD that failed, which is forgotten then."""
    try:
        if failure.code != Code.DELEGATE_MISSING:
            network.run("DEL", config)
    except CNIError as error:
        if not failure.code == error.code == Code.INCOMPATIBLE_VERSION:  # who takes neither has done nothing
            raise
    network.attachments.remove(network.attachment)


def _older_version(network: Network, config: dict[str, Any]) -> str | None:
    """The newest version that the delegate knows, if it is before that of the configuration."""
    known = supported_versions(config["type"], network.call, network.settings.seconds)
    version, refused = newest_common(known), config["cniVersion"]
    if version is None or (refused in VERSIONS and at_least(version, refused)):
        return None
    return version


def _detach(network: Network, stored: Stored, call: Call) -> None:
    """DEL of the delegate, in the version of its ADD; or in the newest that it knows.

    An ADD may have died before it found out that the delegate is older, and a delegate may have been replaced since.
    One that never succeeded may have been given a configuration that the delegate refuses in DEL too: then the one of
    today is tried, in which that may have been mended.
    """
    try:
        _detach_as(network, stored.config, call)
    except CNIError:
        today = None if stored.attached else _rendered_today(network)
        if today is None:
            raise
        _detach_as(network, today, call)


def _rendered_today(network: Network) -> dict[str, Any] | None:
    """What an ADD would be given now; None where none could be served."""
    try:
        return delegate_config(network.config, network.settings, node_subnets(network.settings.subnet_file))
    except CNIError:
        return None


def _detach_as(network: Network, config: dict[str, Any], call: Call) -> None:
    try:
        network.run("DEL", config, call)
    except CNIError as error:
        if error.code != Code.INCOMPATIBLE_VERSION:
            raise
        version = _older_version(network, config)
        if version is None:
            raise
        known = _known_result(network.config, version) if "prevResult" in config else {}
        network.run("DEL", {**config, **known, "cniVersion": version}, call)


def delete(call: Call, config: PluginConfig) -> None:
    """Detach: what is not there any more is no error."""
    network = Network(call, config)
    with network.attachments.guarded():
        stored = _understood(network, network.attachment)
        if stored is not None:
            known = _known_result(config, stored.config["cniVersion"])
            _detach(network, stored._replace(config={**stored.config, **known}), call)
            network.attachments.remove(network.attachment)


def _known_result(config: PluginConfig, version: str) -> dict[str, Any]:
    """The member `prevResult` of a DEL, in the delegate's version; none, if it is missing or cannot be understood."""
    try:
        given = config.prev_result
        if given is None:
            return {}
        if given.get("cniVersion") != version:
            given = Result.from_json(given, "prevResult").to_json(version)
        return {"prevResult": given}
    except CNIError as error:
        print(f"DEL goes on without what is wrong: {error}", file=sys.stderr)
        return {}


def check(call: Call, config: PluginConfig) -> None:
    """Ask whether all is as ADD left it: the node's subnets, and what the delegate made."""
    network = Network(call, config)
    if config.prev_result is None:
        raise config.fields.wrong("prevResult", "is missing: CHECK needs the result of the ADD")
    with network.attachments.guarded():
        stored = network.attachments.load(network.attachment)
        if stored is None:
            container, ifname = network.attachment
            raise CNIError(Code.UNKNOWN_CONTAINER, f"{ifname} of {container} is not attached to {config.name}")
        rendered = delegate_config(config, network.settings, node_subnets(network.settings.subnet_file))
        then, now = _subnets_of(stored.config), _subnets_of(rendered)
        if then != now:
            raise CNIError(Code.CHECK_FAILED, f"attached in {then}, but the node's subnet is {now} now: "
                                              "the container has to be attached anew")  # fmt: skip
        # The plugins of the CNI project look for routes by the next hop, which their results may leave out.
        expected = Result.from_json(config.prev_result, "prevResult").with_gateways()
        version = stored.config["cniVersion"]
        network.run("CHECK", {**stored.config, "prevResult": expected.to_json(version)})


def _subnets_of(config: dict[str, Any]) -> str:
    return ", ".join(each["subnet"] for ranges in config["ipam"]["ranges"] for each in ranges)


def collect(call: Call, config: PluginConfig) -> None:
    """GC: detach what the runtime does not know, and let the delegate collect what is its own."""
    network = Network(call, config)
    valid = config.valid_attachments
    failures = []
    with network.attachments.guarded(alone=True):
        network.attachments.remove_unfinished()
        last: dict[str, Any] | None = None
        for attachment in network.attachments.all():
            try:
                keep = attachment in valid
                stored = network.attachments.load(attachment) if keep else _understood(network, attachment)
                last = last if stored is None else stored.config
                if stored is not None and not keep:
                    _detach(network, stored, stored.call("DEL", attachment, call.path))
                    network.attachments.remove(attachment)
            except CNIError as error:
                failures.append(f"{attachment.ifname} of {attachment.container_id}: {error}")
        try:
            _collect_further(network, last)
        except CNIError as error:
            failures.append(str(error))
    if failures:
        raise CNIError(Code.DELEGATE_FAILED, f"not all could be collected: {failures[0]}", "; ".join(failures[1:]))


def _collect_further(network: Network, last: dict[str, Any] | None) -> None:
    """GC of whoever knows it, with what the node would say today, or else said last."""
    rendered = _rendered_today(network)
    if rendered is None:
        if last is None:
            return  # nothing was ever attached
        rendered = {**last, "cniVersion": network.config.version}
    kind = _asked(network, rendered)
    if kind is not None:
        valid = {VALID_ATTACHMENTS: network.config.content[VALID_ATTACHMENTS]}
        run_plugin(kind, {**rendered, **valid}, network.call, network.settings.seconds)


def status(call: Call, config: PluginConfig) -> None:
    """Tell whether an ADD could be served."""
    network = Network(call, config)
    attached = network.attachments.all()
    # Containers that are there hang on an overlay that is not.
    missing = Code.LIMITED_CONNECTIVITY if attached else Code.NOT_AVAILABLE
    rendered = delegate_config(config, network.settings, node_subnets(network.settings.subnet_file, missing))
    try:
        for kind in (rendered["type"], rendered["ipam"]["type"]):
            find_plugin(kind, call)
        asked = _asked(network, rendered)
    except CNIError as error:
        raise CNIError(Code.NOT_AVAILABLE, error.message, error.details) from error
    if asked is not None:
        run_plugin(asked, rendered, call, network.settings.seconds)


def _asked(network: Network, rendered: dict[str, Any]) -> str | None:
    """Who is called for GC and STATUS: the delegate, or its address management, where only that has them.

    A delegate hands them on to its address management. Those of distributions are often too old to do so.
    """
    for kind in (rendered["type"], rendered["ipam"]["type"]):
        if network.config.version in supported_versions(kind, network.call, network.settings.seconds):
            return str(kind)
    return None


COMMANDS = {"ADD": add, "DEL": delete, "CHECK": check, "GC": collect, "STATUS": status}
