"""An agent from its beginning to its end: it is told once to stop, and its record is there as long as it is needed."""

from __future__ import annotations

import dataclasses
import logging
import threading

from vxlanpkt.analysis.words import counted
from vxlanpkt.cli.overlay.readiness import notify
from vxlanpkt.overlay.agent.status import AgentStatus
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.control import Controlled
from vxlanpkt.overlay.service.leftovers import is_in_reach, remove_from_kernel
from vxlanpkt.overlay.service.run_files import RunFiles

_logger = logging.getLogger("vxlanpkt.overlay")


class RunningAgent:
    """The agent as signals and clients see it. What it is told first about its end holds.

    stopping: set when it is told to end. keeps: whether it leaves all as it is. has_ended: it came to its end as told.
    """

    def __init__(self, agent: Controlled) -> None:
        self._agent = agent
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.keeps = False
        self.has_ended = False

    def status(self) -> AgentStatus:
        """What it says of itself."""
        return self._agent.status()

    def stop(self, keep: bool = False) -> None:
        """Have it end, if it was not told so before."""
        with self._lock:
            if self.stopping.is_set():
                return
            self.keeps = keep
            self.stopping.set()
        _logger.info("stopping%s", ", and leaving everything as it is" if keep else "")
        self._agent.stop(keep)
        notify("STOPPING=1")


class WrittenRecord:
    """The agent's record on disk. Until it is ready, what an agent before left is not forgotten."""

    def __init__(self, files: RunFiles) -> None:
        self._path = files.record
        self._before: AgentRecord | None = None
        self._record: AgentRecord | None = None
        self._is_ready = False

    def begin(self, record: AgentRecord) -> None:
        """Write it. Of the same network the new agent takes over what is there; of another it is taken away.

        Raises `AgentError` where an agent before left something in another network namespace.
        """
        self._before = before = self._read()
        in_reach = before is not None and is_in_reach(before)
        if before is not None and before.network != record.network:
            if in_reach:
                _logger.warning("what an agent before (pid %d) left of another network is taken away", before.pid)
                remove_from_kernel(before.network)
        elif before is not None:
            record = dataclasses.replace(record, subnets=before.subnets, addresses=before.addresses)
        self._write(record)

    def on_ready(self, status: AgentStatus) -> None:
        """It has its lease, and packets can pass."""
        assert self._record is not None
        self._write(self._record.of_ready(status))
        self._is_ready = True
        _logger.info("ready: %s", _summary(status))
        notify("READY=1")

    def end(self, agent: RunningAgent) -> None:
        """Leave a record of what is still there: what was to be kept, or could not be taken away."""
        if agent.has_ended and agent.keeps and self._record is not None:
            self._write(self._record.of_kept())
        elif agent.has_ended:
            self._path.unlink(missing_ok=True)
        elif not self._is_ready and self._before is not None:
            self._before.write(self._path)
        elif not self._is_ready:
            self._path.unlink(missing_ok=True)

    def _read(self) -> AgentRecord | None:
        try:
            return AgentRecord.read(self._path)
        except LeaseFormatError as error:
            _logger.warning("passed over: %s", error)
            return None

    def _write(self, record: AgentRecord) -> None:
        self._record = record
        record.write(self._path)


def _summary(status: AgentStatus) -> str:
    """One line about a node."""
    links = ", ".join(f"{link.name} ({link.endpoint})" for link in status.links)
    peers = f"{counted(len(status.peers), 'subnet')} of other nodes"
    return (
        f"{' and '.join(status.subnets)} on {links}, MTU {status.mtu}, backend {status.backend}"
        f" over {status.underlay}, {peers}"
    )
