"""What goes wrong with configurations, leases and the stores that hold them."""

from __future__ import annotations

from vxlanpkt.errors import PacketError


class LeaseError(PacketError):
    """Everything that is raised about leases descends from here."""


class ConfigError(LeaseError, ValueError):
    """The network configuration is refused: `.field` is the key at fault ("" for the whole), `.value` what it says."""

    field: str
    value: object


class LeaseFormatError(LeaseError, ValueError):
    """The text of a key, of a value or of a subnet file is not what it should be: `.text`, and `.what` it is."""

    what: str
    text: str


class NoSubnetError(LeaseError):
    """Every subnet of the network is taken."""


class LeaseLostError(LeaseError):
    """The lease is no longer its holder's: it expired, was removed, or another node has it. `.key` names it."""

    key: str


class StoreError(LeaseError, OSError):
    """The store cannot be reached, does not answer in time, or says what it should not: `.store` names it."""

    store: str


class NoConfigError(StoreError):
    """The store has no configuration of a network yet."""
