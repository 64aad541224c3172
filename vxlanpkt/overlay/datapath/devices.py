"""TUN and TAP devices with as many offloads as the kernel has: what it does not know is left out, and said.

Linux only. A device belongs to the network namespace of the thread that opens it, and is gone when it is closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from struct import Struct
from types import TracebackType
from typing import Any, Literal, TypeVar

from vxlanpkt import MACAddress
from vxlanpkt.errors import refused_field

_refused = partial(refused_field, "Device")

Kind = Literal["tun", "tap"]
_T = TypeVar("_T")
_Ioctl = Callable[[int, int, Any], Any]

_DEVICE = "/dev/net/tun"
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_TAP, _IFF_MULTI_QUEUE, _IFF_NO_PI, _IFF_VNET_HDR = 0x1, 0x2, 0x100, 0x1000, 0x4000
# What the kernel may leave to us, in the order in which it is asked for: what is behind needs what is before.
_OFFLOADS = {"checksum": 0x01, "tso4": 0x02, "tso6": 0x04, "tso_ecn": 0x08, "uso": 0x20 | 0x40}
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCGIFMTU, _SIOCSIFMTU = 0x8913, 0x8914, 0x8921, 0x8922
_SIOCSIFHWADDR, _SIOCGIFHWADDR, _SIOCGIFINDEX = 0x8924, 0x8927, 0x8933
_IFF_UP, _ARPHRD_ETHER = 0x1, 1
_LONGEST_NAME = 15
_FLAGS, _NUMBER, _ADDRESS = Struct("16sH22x"), Struct("16si20x"), Struct("16sH6s16x")
# rtnetlink: a message of one attribute, and the error number in what comes back.
_RTM_NEWLINK, _NLM_F_REQUEST, _NLM_F_ACK, _IFLA_GSO_MAX_SEGS = 16, 0x1, 0x4, 40
_LINK_MESSAGE, _ACKNOWLEDGEMENT = Struct("=IHHIIBxHiIIHHI"), Struct("=16xi")
_NO_OFFLOAD = bytes(10)  # struct virtio_net_hdr: nothing left to do


@dataclass(frozen=True)
class Features:
    """What a device takes over from the kernel, or leaves to it.

    vnet_header   each frame has a struct virtio_net_hdr before it: without it none of the others is there
    multi_queue   more than one queue
    checksum      checksums may be left unfinished
    tso4, tso6    TCP segments longer than the MTU, over IPv4 and IPv6
    tso_ecn       these with CWR set too
    uso           several datagrams of UDP in one frame
    """

    vnet_header: bool = False
    multi_queue: bool = False
    checksum: bool = False
    tso4: bool = False
    tso6: bool = False
    tso_ecn: bool = False
    uso: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that are not there."""
        return tuple(name for name, there in vars(self).items() if not there)


class Device:
    """An open TUN or TAP device: `queues` are its file descriptors, which do not block."""

    def __init__(
        self,
        name: str = "",
        kind: Kind = "tap",
        *,
        queues: int = 1,
        mtu: int | None = None,
        mac: MACAddress | str | bytes | int | None = None,
        offload: bool = True,
        ioctl: _Ioctl = fcntl.ioctl,
    ) -> None:
        """Create the device.

        name     "" lets the kernel choose; "%d" in it stands for the first number that is free
        queues   how many threads can read and write at once
        mtu      the longest IP packet; the kernel's 1500 if not given
        mac      of a TAP
        offload  False asks for no feature
        ioctl    the system call, for tests

        Raises `FieldError` for what cannot be asked for and `OSError` for what the kernel refuses.
        """
        if kind not in ("tun", "tap"):
            raise _refused("kind", kind, 'one of "tun", "tap"')
        if len(os.fsencode(name)) > _LONGEST_NAME or "/" in name or name in (".", ".."):
            raise _refused("name", name, "a device's name of at most 15 bytes")
        if queues < 1:
            raise _refused("queues", queues, "at least 1")
        self.kind: Kind = kind
        self._ioctl = ioctl
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        opened: list[int] = []
        try:
            self.name, flags = self._create(name, queues, offload, opened)
            self.queues: tuple[int, ...] = tuple(opened)
            self.features = self._negotiate(flags, offload)
            if mac is not None:
                self.mac = MACAddress(mac)
            if mtu is not None:
                self.mtu = mtu
        except BaseException:
            for queue in opened:
                os.close(queue)
            self._control.close()
            self._netlink.close()
            raise

    def _create(self, name: str, queues: int, offload: bool, opened: list[int]) -> tuple[str, int]:
        """Open the first queue with the most flags that the kernel takes, then the others like it."""
        base = (_IFF_TAP if self.kind == "tap" else _IFF_TUN) | _IFF_NO_PI
        many = _IFF_MULTI_QUEUE if queues > 1 else 0
        wanted = [base | many | (_IFF_VNET_HDR if offload else 0), base | many]
        if many:
            wanted += [base | (_IFF_VNET_HDR if offload else 0), base]
        made, flags = _first(lambda flags: (self._open_queue(name, flags, opened), flags), wanted)
        for _ in range(queues - 1 if flags & _IFF_MULTI_QUEUE else 0):
            self._open_queue(made, flags, opened)
        return made, flags

    def _open_queue(self, name: str, flags: int, opened: list[int]) -> str:
        queue = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            answer = self._ioctl(queue, _TUNSETIFF, _FLAGS.pack(os.fsencode(name), flags))
        except BaseException:
            os.close(queue)
            raise
        assert isinstance(answer, bytes)
        opened.append(queue)
        return os.fsdecode(answer[:16].rstrip(b"\0"))

    def _negotiate(self, flags: int, offload: bool) -> Features:
        """Ask for one feature after the other on top of those that were granted."""
        granted: dict[str, bool] = {}
        bits = 0
        for name, bit in _OFFLOADS.items() if offload and flags & _IFF_VNET_HDR else ():
            try:
                for queue in self.queues:
                    self._ioctl(queue, _TUNSETOFFLOAD, bits | bit)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                if name == "checksum":
                    break
            else:
                granted[name] = True
                bits |= bit
        for queue in self.queues if bits else ():
            self._ioctl(queue, _TUNSETOFFLOAD, bits)
        return Features(bool(flags & _IFF_VNET_HDR), bool(flags & _IFF_MULTI_QUEUE), **granted)

    # -- the interface

    def _ask(self, request: int, data: bytes) -> bytes:
        answer = self._ioctl(self._control.fileno(), request, data)
        assert isinstance(answer, bytes)
        return answer

    @property
    def _packed_name(self) -> bytes:
        return os.fsencode(self.name)

    @property
    def mtu(self) -> int:
        """The longest IP packet; it can be set."""
        return int(_NUMBER.unpack(self._ask(_SIOCGIFMTU, _NUMBER.pack(self._packed_name, 0)))[1])

    @mtu.setter
    def mtu(self, mtu: int) -> None:
        self._ask(_SIOCSIFMTU, _NUMBER.pack(self._packed_name, mtu))

    @property
    def mac(self) -> MACAddress:
        """The address of a TAP; it can be set. A TUN has none, and says 0."""
        _, kind, mac = _ADDRESS.unpack(self._ask(_SIOCGIFHWADDR, _ADDRESS.pack(self._packed_name, 0, bytes(6))))
        return MACAddress(mac if kind == _ARPHRD_ETHER else 0)

    @mac.setter
    def mac(self, mac: MACAddress) -> None:
        self._ask(_SIOCSIFHWADDR, _ADDRESS.pack(self._packed_name, _ARPHRD_ETHER, mac.packed))

    @property
    def is_up(self) -> bool:
        """Whether the interface is up; it can be set."""
        _, flags = _FLAGS.unpack(self._ask(_SIOCGIFFLAGS, _FLAGS.pack(self._packed_name, 0)))
        return bool(flags & _IFF_UP)

    @is_up.setter
    def is_up(self, up: bool) -> None:
        _, flags = _FLAGS.unpack(self._ask(_SIOCGIFFLAGS, _FLAGS.pack(self._packed_name, 0)))
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        self._ask(_SIOCSIFFLAGS, _FLAGS.pack(self._packed_name, flags))

    def limit_segments(self, count: int) -> None:
        """Let long frames be at most so many segments. Raises `OSError` where the kernel does not know how."""
        index = _NUMBER.unpack(self._ask(_SIOCGIFINDEX, _NUMBER.pack(self._packed_name, 0)))[1]
        self._netlink.send(_LINK_MESSAGE.pack(_LINK_MESSAGE.size, _RTM_NEWLINK, _NLM_F_REQUEST | _NLM_F_ACK, 0, 0,
                                              0, 0, index, 0, 0, 8, _IFLA_GSO_MAX_SEGS, count))  # fmt: skip
        error = -_ACKNOWLEDGEMENT.unpack_from(self._netlink.recv(4096))[0]
        if error:
            raise OSError(error, os.strerror(error))

    def write(self, frame: bytes) -> None:
        """Hand the kernel a frame (TAP) or an IP packet (TUN), as if it had come from a peer."""
        os.writev(self.queues[0], [_NO_OFFLOAD, frame] if self.features.vnet_header else [frame])

    def close(self) -> None:
        """Close all queues, with which the device goes; once is enough."""
        queues, self.queues = self.queues, ()
        for queue in queues:
            os.close(queue)
        self._control.close()
        self._netlink.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _first(function: Callable[[int], _T], choices: Sequence[int]) -> _T:
    """What *function* makes of the first choice that the kernel does not find invalid."""
    for choice in choices[:-1]:
        try:
            return function(choice)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return function(choices[-1])
