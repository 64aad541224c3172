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
from pathlib import Path

from vxlanpkt.cni.ipam.ranges import Address, Candidate, RangeSet
from vxlanpkt.cni.protocol.configuration import Attachment
from vxlanpkt.cni.protocol.errors import CNIError, Code
from vxlanpkt.overlay.files import TEMPORARY, create_file


class Reservations:
    """The addresses of one network."""

    def __init__(self, data_directory: str, network: str) -> None:
        self._home = Path(data_directory, network)

    @contextlib.contextmanager
    def locked(self, *, make: bool = False) -> Iterator[None]:
        """While addresses are looked at and changed; *make* the directory, if there is none."""
        try:
            if make:
                self._home.mkdir(parents=True, exist_ok=True)
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
            descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
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
        for name in self._names():
            with contextlib.suppress(ValueError, FileNotFoundError):
                found[ip_address(name)] = (self._home / name).read_text(errors="replace").strip()
        return found

    def reserve(self, ranges: RangeSet, place: int, owner: Attachment) -> Candidate | None:
        """The next free address of a set, which is the *place*th; None if there is none."""
        taken = set(self._names())
        for found in ranges.candidates(self._last(place)):
            if str(found.address) not in taken and self._create(found.address, place, owner):
                return found
        return None

    def reserve_this(self, address: Address, place: int, owner: Attachment) -> bool:
        """Whether an address was free, and is the owner's now."""
        return self._create(address, place, owner)

    def release(self, address: Address) -> None:
        """Free an address."""
        (self._home / str(address)).unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Take away what processes left that died while they wrote."""
        for left in self._home.glob(f"{TEMPORARY}*"):
            left.unlink()

    def _create(self, address: Address, place: int, owner: Attachment) -> bool:
        try:
            create_file(self._home / str(address), "\r\n".join(owner).encode())
        except FileExistsError:
            return False
        (self._home / f"last_reserved_ip.{place}").write_text(str(address))
        return True

    def _last(self, place: int) -> Address | None:
        try:
            return ip_address((self._home / f"last_reserved_ip.{place}").read_text().strip())
        except (FileNotFoundError, ValueError):
            return None

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._home)  # noqa: PTH208 - names are what is wanted
        except FileNotFoundError:
            return []


def belongs(content: str, owner: Attachment) -> bool:
    """Whether a file's content names an attachment; old ones of `host-local` name the container alone."""
    return content in ("\r\n".join(owner), owner.container_id)
