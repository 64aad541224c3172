"""What an agent writes down of itself, so that what it leaves can be taken away when it dies."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.config import NetworkConfig, parse_config
from vxlanpkt.overlay.leases.files import replace_file
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.service.network_namespace import NetworkNamespace
from vxlanpkt.overlay.stores.store_location import StoreLocation


@dataclass(frozen=True)
class AgentRecord:
    """An agent's parameters, and once it has a lease what tells this lease from others.

    config: the text of the network's configuration. namespace: where its devices and routes are. subnets, addresses: of
    the lease; addresses are those that peers send to. kept: it ended, and was told to leave all as it was.
    """

    pid: int
    store: StoreLocation
    config: str
    subnet_env: str
    namespace: NetworkNamespace
    subnets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    kept: bool = False

    @property
    def network(self) -> NetworkConfig:
        """The network's configuration."""
        return parse_config(self.config)

    def of_ready(self, status: AgentStatus) -> AgentRecord:
        """The same of an agent that has its lease."""
        return dataclasses.replace(
            self, subnets=status.subnets, addresses=tuple(dict.fromkeys(link.local for link in status.links))
        )

    def of_kept(self) -> AgentRecord:
        """The same of an agent that ended and left all as it was."""
        return dataclasses.replace(self, kept=True)

    def write(self, path: Path) -> None:
        """Write it: a reader sees what was there before, or all of it."""
        replace_file(path, (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> AgentRecord | None:
        """What was written; None if nothing was. Raises `LeaseFormatError` for anything else."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            read = json.loads(content)
            lists = {name: tuple(read[name]) for name in ("subnets", "addresses")}
            namespace = NetworkNamespace(*map(int, read["namespace"]))
            store = StoreLocation.from_members(read["store"])
            return cls(**{**read, **lists, "namespace": namespace, "store": store})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            text = content.decode("utf-8", "backslashreplace")
            raise LeaseFormatError(f"{path}: no record of an agent: {error}", what="record", text=text) from error
