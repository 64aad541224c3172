"""Nodes whose packet loop is relay.c: what any program between a TAP and a UDP socket has to do, and nothing else."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any

from cffi import FFI

from tests.live.overlay_rig import PORT, Backend, Node, Pair

_HERE = Path(__file__).parent
_FLAGS = ["-O3", "-Wall", "-Wextra", "-Wconversion"]
_LONGEST_RUN = 44  # datagrams of relay.c's size that the kernel takes at once
_BUFFER = 8 << 20
_INJECTOR = "inject0"
_TUNSETIFF, _TUNSETVNETHDRSZ, _TUNSETOFFLOAD = 0x400454CA, 0x400454D8, 0x400454D0
_TAP, _TUNNEL_HEADER = 0x2 | 0x1000 | 0x4000, 24
_OFFLOADS = 0x1 | 0x2 | 0x4 | 0x80 | 0x100  # checksum, tso4, tso6, udp_tunnel_gso, udp_tunnel_gso_csum
_SIOCGIFHWADDR, _SIOCSIFFLAGS, _IFF_UP = 0x8927, 0x8914, 0x1
_UDP_GRO, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 104, 32, 33


def _compile() -> Any:
    builder = FFI()
    builder.cdef((_HERE / "relay.h").read_text())
    builder.set_source("_relay", '#include "relay.h"', sources=[str(_HERE / "relay.c")], include_dirs=[str(_HERE)],
                       extra_compile_args=_FLAGS)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        spec = importlib.util.spec_from_file_location("_relay", builder.compile(tmpdir=folder))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


class Relay:
    """The thread of a relay and what it holds open; as much of a data path as a node needs."""

    def __init__(self, module: Any, node: Node, other: Node, injector: int) -> None:
        assert node.device is not None
        node.device.limit_segments(_LONGEST_RUN)
        self._lib, self._injector, self._stop = module.lib, injector, os.eventfd(0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        self._socket.bind((node.underlay(), PORT))
        self._relay = module.ffi.new("Relay *")
        self._relay.device, self._relay.receiver = node.device.queues[0], self._socket.fileno()
        self._relay.stop, self._relay.injector = self._stop, injector
        self._relay.local = socket.inet_aton(node.underlay())
        self._relay.peer = struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", PORT, socket.inet_aton(node.underlay(other.number))
        )
        if injector >= 0:
            answer = fcntl.ioctl(self._socket, _SIOCGIFHWADDR, struct.pack("16s24x", _INJECTOR.encode()))
            self._relay.injector_mac = answer[18:24]
        self._thread = threading.Thread(target=self._lib.relay_run, args=(self._relay,), daemon=True)
        self.counters: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._socket.close()
        os.close(self._stop)
        if self._injector >= 0:
            os.close(self._injector)


class RelayPair(Pair):
    """The first node is a relay, and the second one too unless *second* says what else it is."""

    _module: Any = None

    def __init__(self, second: Backend | None = None, *, injects: bool = False) -> None:
        if RelayPair._module is None:
            RelayPair._module = _compile()
        self._injects, self._numbers = injects, (1,) if second else (1, 2)
        super().__init__("user", second or "user", 4)

    def _node(self, number: int, backend: Backend, version: int, queues: int) -> Node:
        node = super()._node(number, backend, version, queues)
        if number in self._numbers:
            # It is no data path, but starts and closes as one does.
            node.open_path = lambda other: self._open(node, other)  # type: ignore
        return node

    def _open(self, node: Node, other: Node) -> Relay:
        return Relay(self._module, node, other, _open_injector() if self._injects else -1)


def _open_injector() -> int:
    """A TAP that takes long frames in tunnels and from which the kernel routes what bears its own address."""
    queue = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(queue, _TUNSETIFF, struct.pack("16sH22x", _INJECTOR.encode(), _TAP))
    fcntl.ioctl(queue, _TUNSETVNETHDRSZ, struct.pack("i", _TUNNEL_HEADER))
    fcntl.ioctl(queue, _TUNSETOFFLOAD, _OFFLOADS)
    for key, value in (("forwarding", 1), ("accept_local", 1), ("rp_filter", 0)):
        Path(f"/proc/sys/net/ipv4/conf/{_INJECTOR}/{key}").write_text(f"{value}\n")
    Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("0\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", _INJECTOR.encode(), _IFF_UP))
    return queue
