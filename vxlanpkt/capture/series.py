"""Captures one after the other, read as one: the files of a directory, say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from vxlanpkt.capture.batches import RecordBatch
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sources import Origin, Stopped
from vxlanpkt.capture.stretches import Before
from vxlanpkt.errors import CaptureError


class CaptureSeries(Capture):
    """Several files as one capture, in the order given: as one file that holds their records one behind the other.

    Records and interfaces are counted through. A file that breaks off, or is no capture, keeps no other from being
    read: everything that is whole is handed out, and then CaptureError is raised, which names every such file.
    """

    def _origins_of(self, source: Any) -> Sequence[Origin]:
        return tuple(map(Origin, source))

    def batches(self) -> Iterator[RecordBatch]:
        """All records of all files in order, in batches of one link type and one file."""
        self._source = self._reader = None
        self._before, self._container = Before(), None
        self._consumed = 0
        faults = Faults()
        for origin in self._origins:
            try:
                for batch in self._read(origin, self._before):
                    yield batch
                    self._before.records = batch.first + len(batch)
            except Stopped:
                raise
            except CaptureError as error:
                faults.add(origin.name, error)
            self._end_file()
        if faults:
            raise faults.error()

    _before = Before()
    _consumed = 0
    _container: Literal["pcap", "pcapng"] | None = None

    def _end_file(self) -> None:
        """Keep what is known of the file that was read."""
        if self._source is not None:
            self._consumed += self._source.consumed
        if self._reader is not None:
            self._container = self._reader.container
        self._source = self._reader = None

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces of all files that the newest pass has come across so far."""
        return tuple(self._before.interfaces)

    @property
    def container(self) -> Literal["pcap", "pcapng"] | None:
        """What the newest pass has found the last file that it could read to be; None before the first."""
        return super().container or self._container

    @property
    def consumed(self) -> int:
        """How many bytes of all files, as they are stored, the newest pass has taken."""
        return self._consumed + super().consumed

    @property
    def size(self) -> int | None:
        """How many bytes the files have together, if they are regular files."""
        sizes = [origin.size for origin in self._origins]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def _named(self) -> str:
        return ", ".join(origin.name or "a stream" for origin in self._origins)


class Faults:
    """The files that could not be read to their ends."""

    _SHOWN = 5

    def __init__(self) -> None:
        self._found: list[tuple[str, CaptureError]] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)

    def add(self, name: str | None, error: CaptureError) -> None:
        """Note the fault of a file."""
        self._found.append((name or "a stream", error))

    def error(self) -> CaptureError:
        """The first fault, with the name of its file, and the names of the other files."""
        (name, first), *others = self._found
        text = f"{name}: {first}"
        if others:
            names = ", ".join(name for name, _ in others[: self._SHOWN])
            more = f" and {len(others) - self._SHOWN} more" if len(others) > self._SHOWN else ""
            text += f"; {len(others)} other {'file is' if len(others) == 1 else 'files are'} broken: {names}{more}"
        return CaptureError(text, offset=first.offset)
