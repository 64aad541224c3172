"""Who has which address, on disk as `host-local` has it, so that both can share a directory.

<dataDir>/<network>/10.1.1.7              container ID, CR LF, interface: made so that it cannot be made twice
<dataDir>/<network>/last_reserved_ip.0    the address given out last, of the first set of ranges
<dataDir>/<network>/lock                  held (`flock`) by whoever looks or changes
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from ipaddress import ip_address

from vxlanpkt.cni.files import (
    create_file,
    make_directory,
    names_in,
    read_file,
    remove_file,
    remove_unfinished,
    replace_file,
)
from vxlanpkt.cni.ipam.ranges import Address, Candidate, RangeSet
from vxlanpkt.cni.protocol.configuration import Attachment
from vxlanpkt.cni.protocol.errors import CNIError, Code

_MODE = 0o644  # as `host-local` makes them


class Reservations:
    """The addresses of one network."""

    def __init__(self, data_directory: str, network: str) -> None:
        self._home = f"{data_directory}/{network}"

    @contextlib.contextmanager
    def locked(self, *, make: bool = False) -> Iterator[None]:
        """While addresses are looked at and changed; *make* the directory, if there is none."""
        try:
            if make:
                make_directory(self._home)
            with self._lock():
                yield
        except OSError as error:
            where = error.filename or self._home
            raise CNIError(
                Code.IO_FAILURE, f"{where}: {error.strerror}: ipam.dataDir has to be a directory to write in"
            ) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            descriptor = os.open(f"{self._home}/lock", os.O_RDWR | os.O_CREAT, _MODE)
        except FileNotFoundError:  # no directory: nothing is reserved
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def all(self) -> dict[Address, str]:
        """Every address that somebody has, and what its file says of them."""
        found = {}
        for name in names_in(self._home):
            with contextlib.suppress(ValueError):
                found[ip_address(name)] = (read_file(self._path(name)) or b"").decode(errors="replace").strip()
        return found

    def reserve(self, ranges: RangeSet, place: int, owner: Attachment) -> Candidate | None:
        """The next free address of a set, which is the *place*th; None if there is none."""
        taken = set(names_in(self._home))
        for found in ranges.candidates(self._last(place)):
            if str(found.address) not in taken and self.reserve_this(found.address, place, owner):
                return found
        return None

    def reserve_this(self, address: Address, place: int, owner: Attachment) -> bool:
        """Whether an address was free, and is the owner's now."""
        try:
            create_file(self._path(str(address)), "\r\n".join(owner).encode(), _MODE)
        except FileExistsError:
            return False
        replace_file(self._path(f"last_reserved_ip.{place}"), str(address).encode(), _MODE)
        return True

    def release(self, address: Address) -> None:
        """Free an address."""
        remove_file(self._path(str(address)))

    def remove_unfinished(self) -> None:
        """Take away what processes left that died while they wrote."""
        remove_unfinished(self._home)

    def _last(self, place: int) -> Address | None:
        try:
            return ip_address((read_file(self._path(f"last_reserved_ip.{place}")) or b"").decode().strip())
        except ValueError:
            return None

    def _path(self, name: str) -> str:
        return f"{self._home}/{name}"


def contents_of(owner: Attachment) -> tuple[str, str]:
    """What a file of an attachment's holds; old ones of `host-local` name the container alone."""
    return "\r\n".join(owner), owner.container_id


def belongs(content: str, owner: Attachment) -> bool:
    """Whether a file's content names an attachment."""
    return content in contents_of(owner)
