"""The commands of `vxlanpkt-ipam`."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Any

from vxlanpkt.cni.ipam.ranges import Address, Candidate, RangeSet
from vxlanpkt.cni.ipam.reservations import Reservations, belongs, contents_of
from vxlanpkt.cni.ipam.settings import Settings, read_resolv_conf
from vxlanpkt.cni.protocol.configuration import Attachment, PluginConfig
from vxlanpkt.cni.protocol.environment import Call
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.cni.protocol.results import DNS, IPConfig, Result


def add(call: Call, config: PluginConfig) -> dict[str, Any]:
    """Reserve an address of each set of ranges; all, or none."""
    settings = Settings.read(call, config)
    owner = Attachment(call.container_id, call.ifname)
    dns = read_resolv_conf(settings.resolv_conf) if settings.resolv_conf else DNS()
    requests = _assigned(settings)
    reservations = Reservations(settings.data_directory, config.name)
    found: list[Candidate] = []
    with reservations.locked(make=True):
        _refuse_second(reservations, settings, owner)
        try:
            for place, ranges in enumerate(settings.range_sets):
                found.append(_reserved(reservations, ranges, place, owner, requests.get(place)))
        except BaseException:
            for each in found:
                reservations.release(each.address)
            raise
    ips = tuple(
        IPConfig(ip_interface((each.address, each.range.subnet.prefixlen)), each.range.gateway) for each in found
    )
    return Result(ips=ips, routes=settings.routes, dns=dns).to_json(config.version)


def _assigned(settings: Settings) -> dict[int, Address]:
    """The requested addresses by the place of the set that each is in."""
    found: dict[int, Address] = {}
    for address in settings.requested:
        sets = enumerate(settings.range_sets)
        place = next((place for place, each in sets if place not in found and each.range_of(address)), None)
        if place is None:
            ranges = " ".join(map(str, settings.range_sets))
            raise CNIError(Code.NO_ADDRESS, f"{address} is asked for, but in no range that is left: {ranges}")
        found[place] = address
    return found


def _refuse_second(reservations: Reservations, settings: Settings, owner: Attachment) -> None:
    for address, content in reservations.all().items():
        if belongs(content, owner) and any(ranges.range_of(address) for ranges in settings.range_sets):
            container, ifname = owner
            raise CNIError(
                Code.INVALID_ENVIRONMENT, f"{ifname} of {container} has {address} already: it needs a DEL first"
            )


def _reserved(
    reservations: Reservations, ranges: RangeSet, place: int, owner: Attachment, request: Address | None
) -> Candidate:
    """An address of one set: the requested one, or the next."""
    if request is None:
        found = reservations.reserve(ranges, place, owner)
        if found is None:
            raise CNIError(Code.NO_ADDRESS, f"no address is free in {ranges}: remove containers, or run GC")
        return found
    home = ranges.range_of(request)
    assert home is not None, "looked at when it was assigned"
    if request == home.gateway:
        raise CNIError(Code.NO_ADDRESS, f"{request} is asked for, but the gateway's")
    if not reservations.reserve_this(request, place, owner):
        raise CNIError(Code.NO_ADDRESS, f"{request} is asked for, but another's already")
    return Candidate(request, home)


def delete(call: Call, config: PluginConfig) -> None:
    """Free what the attachment has; nothing is as good."""
    settings = Settings.read(call, config)
    owner = Attachment(call.container_id, call.ifname)
    reservations = Reservations(settings.data_directory, config.name)
    with reservations.locked():
        for address, content in reservations.all().items():
            if belongs(content, owner):
                reservations.release(address)


def check(call: Call, config: PluginConfig) -> None:
    """Ask whether the attachment's addresses are its own still."""
    settings = Settings.read(call, config)
    owner = Attachment(call.container_id, call.ifname)
    reservations = Reservations(settings.data_directory, config.name)
    with reservations.locked():
        reserved = {address for address, content in reservations.all().items() if belongs(content, owner)}
    expected = set[Address]()
    if config.prev_result is not None:
        every = (each.address.ip for each in Result.from_json(config.prev_result, "prevResult").ips)
        expected = {each for each in every if any(ranges.range_of(each) for ranges in settings.range_sets)}
    missing = sorted(map(str, expected - reserved)) or ([] if reserved else ["any address"])
    if missing:
        raise CNIError(
            Code.CHECK_FAILED, f"{call.ifname} of {call.container_id} does not have {', '.join(missing)} any more"
        )


def collect(call: Call, config: PluginConfig) -> None:
    """GC: free what nobody has any more."""
    settings = Settings.read(call, config)
    valid = {content for each in config.valid_attachments for content in contents_of(each)}
    reservations = Reservations(settings.data_directory, config.name)
    with reservations.locked():
        reservations.remove_unfinished()
        for address, content in reservations.all().items():
            if content not in valid:
                reservations.release(address)


def status(call: Call, config: PluginConfig) -> None:
    """Tell whether an address could be given out."""
    settings = Settings.read(call, config)
    reservations = Reservations(settings.data_directory, config.name)
    try:
        with reservations.locked(make=True):
            taken = reservations.all()
    except CNIError as error:
        raise CNIError(Code.NOT_AVAILABLE, error.message) from error
    for ranges in settings.range_sets:
        if all(each.address in taken for each in ranges.candidates(None)):
            raise CNIError(Code.NOT_AVAILABLE, f"no address is free in {ranges}")


COMMANDS = {"ADD": add, "DEL": delete, "CHECK": check, "GC": collect, "STATUS": status}
