"""Nodes whose packet loop is relay.c: what any program between a TAP and a UDP socket has to do, and nothing else."""

from __future__ import annotations

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

    def __init__(self, module: Any, node: Node, other: Node) -> None:
        assert node.device is not None
        node.device.limit_segments(_LONGEST_RUN)
        self._lib, self._stop = module.lib, os.eventfd(0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        self._socket.bind((node.underlay(), PORT))
        self._relay = module.ffi.new("Relay *")
        self._relay.device, self._relay.receiver = node.device.queues[0], self._socket.fileno()
        self._relay.stop = self._stop
        self._relay.peer = struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", PORT, socket.inet_aton(node.underlay(other.number))
        )
        self._thread = threading.Thread(target=self._lib.relay_run, args=(self._relay,), daemon=True)
        self.counters: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._socket.close()
        os.close(self._stop)


class RelayPair(Pair):
    """Both nodes are relays."""

    _module: Any = None

    def __init__(self) -> None:
        if RelayPair._module is None:
            RelayPair._module = _compile()
        super().__init__("user", "user", 4)

    def _node(self, number: int, backend: Backend, version: int, queues: int) -> Node:
        node = super()._node(number, backend, version, queues)
        # It is no data path, but starts and closes as one does.
        node.open_path = lambda other: Relay(self._module, node, other)  # type: ignore
        return node
