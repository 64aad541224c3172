"""The commands of `vxlanpkt-cni`: it hands on to a delegate, and remembers what it handed on."""

from __future__ import annotations

from typing import Any

from vxlanpkt.cni.attachments import Stored, identity
from vxlanpkt.cni.delegation import Network
from vxlanpkt.cni.execution import find_plugin, run_add, run_plugin, supported_versions
from vxlanpkt.cni.protocol.configuration import VALID_ATTACHMENTS, PluginConfig
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.results import Result


def add(call: Call, config: PluginConfig) -> dict[str, Any]:
    """Attach: nothing is left of one that fails."""
    network = Network(call, config)
    rendered = network.rendered()
    with network.attachments.guarded(make=True):
        _clear_way(network)
        try:
            result = _added(network, rendered)
        except CNIError as error:
            if error.code != Code.INCOMPATIBLE_VERSION:
                raise
            version = network.older_version(rendered)
            if version is None:
                raise
            result = _added(network, {**rendered, "cniVersion": version})
    if result["cniVersion"] != config.version:
        return Result.from_json(result).to_json(config.version)
    return result


def _clear_way(network: Network) -> None:
    """What is stored under the same name is of a container that is gone, as after a reboot; or it is an error."""
    stored = network.understood(network.attachment)
    if stored is None:
        return
    container, ifname = network.attachment
    if stored.same_namespace:
        raise CNIError(Code.INVALID_ENVIRONMENT, f"{ifname} of {container} is attached already: it needs a DEL first")
    network.detach(stored, stored.call("DEL", network.attachment, network.call.path))
    network.attachments.remove(network.attachment)


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


def delete(call: Call, config: PluginConfig) -> None:
    """Detach: what is not there any more is no error."""
    network = Network(call, config)
    with network.attachments.guarded():
        stored = network.understood(network.attachment)
        if stored is not None:
            known = network.known_result(stored.config["cniVersion"])
            network.detach(stored._replace(config={**stored.config, **known}), call)
            network.attachments.remove(network.attachment)


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
        rendered = network.rendered()
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
                stored = network.attachments.load(attachment) if keep else network.understood(attachment)
                last = last if stored is None else stored.config
                if stored is not None and not keep:
                    network.detach(stored, stored.call("DEL", attachment, call.path))
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
    rendered = network.rendered_if_served()
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
    rendered = network.rendered(missing)
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
