"""Captures one after the other, read as one: the files of a directory, say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from vxlanpkt.capture.origins import File, Origin, Part
from vxlanpkt.capture.parts import SplitError
from vxlanpkt.capture.reader import Capture
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sources import Stopped
from vxlanpkt.capture.stretches import Before, Run, Taking
from vxlanpkt.errors import CaptureError
from vxlanpkt.policy import DecapPolicy

_R = TypeVar("_R", bound=Run)
_SHOWN = 5


class CaptureSeries(Capture):
    """Several files as one capture, in the order given: as one file that holds their records one behind the other.

    Records and interfaces are counted through. A file that breaks off, or is no capture, keeps no other from being
    read: everything that is whole is handed out, and then BrokenFilesError is raised, which names every such file.
    With *numbered_through* false, each file counts its own records and interfaces.
    """

    def __init__(
        self, source: Sequence[File | Part], policy: DecapPolicy, *, numbered_through: bool = True
    ) -> None:  # fmt: skip
        super().__init__(source, policy)
        self._numbered_through = numbered_through
        self._before = Before()
        self._consumed = 0
        self._container: Literal["pcap", "pcapng"] | None = None

    def _origins_of(self, source: Any) -> Sequence[Origin]:
        return tuple(map(Origin, source))

    def _each(self, taking: Taking[_R]) -> Iterator[_R]:
        """All records of all files in order, as they are taken."""
        self._before, self._container = Before(), None
        self._start_pass()
        self._consumed = 0
        faults: list[tuple[str, CaptureError]] = []
        for origin in self._origins:
            if not self._numbered_through:
                self._before = Before()
            try:
                for run in self._read(origin, self._before, taking):
                    yield run
                    self._before.records = run.first + len(run)
            except Stopped:
                raise
            except SplitError as error:
                raise SplitError(f"{origin.name or 'a stream'}: {error}", offset=error.offset) from error
            except CaptureError as error:
                faults.append((origin.name or "a stream", error))
            self._end_file(origin)
        if faults:
            raise broken_files(faults)

    def _end_file(self, origin: Origin) -> None:
        """Keep what is known of the file that was read."""
        taken = 0 if self._source is None else self._source.consumed
        self._consumed += taken if origin.size is None or origin.part is not None else origin.size
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
    def name(self) -> str:
        """The names of the first files, and how many there are beside."""
        names = [origin.name or "a stream" for origin in self._origins[:_SHOWN]]
        more = len(self._origins) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")


class BrokenFilesError(CaptureError):
    """Some of several files could not be read to their ends; `.faults` are their names, and what is wrong with each."""

    faults: tuple[tuple[str, CaptureError], ...]


def broken_files(faults: Sequence[tuple[str, CaptureError]]) -> BrokenFilesError:
    """The error for some faults: it has the first one, and the names of the other files."""
    (name, first), *others = faults
    text = f"{name}: {first}"
    if others:
        names = ", ".join(name for name, _ in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        text += f"; {len(others)} other {'file is' if len(others) == 1 else 'files are'} broken: {names}{more}"
    return BrokenFilesError(text, offset=first.offset, faults=tuple(faults))
