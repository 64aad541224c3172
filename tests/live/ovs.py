"""An Open vSwitch of our own as the other end of a tunnel: its datapath in user space, all of it in one namespace."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from . import namespaces
from .handmade import KERNEL_IP, KERNEL_IP6, KERNEL_MAC, PEER_IP, PEER_IP6, PEER_MAC, VNI
from .namespaces import Namespace, run
from .wire import Wire

UNDERLAY, INNER = "underlay", "inner"
_UNDERLAY_BRIDGE, _INNER_BRIDGE, _TUNNEL = "br-underlay", "br-inner", "tunnel"
_UNDERLAY_PORT, _INNER_PORT, _TUNNEL_PORT = 1, 2, 3
_MTU = "9000"
_DATABASE, _DAEMON = "ovsdb-server", "ovs-vswitchd"
_PROGRAMS = (_DATABASE, _DAEMON, "ovsdb-tool", "ovs-vsctl", "ovs-ofctl", "ovs-appctl", "ethtool", "setpriv")
_TAP = Path("/dev/net/tun")
_PREFIX = "vxlanpkt-ovs"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-\w+")
_PATIENCE = 60.0


class Switch:
    """`switch` is the namespace with Open vSwitch, `peer` the one with the far ends of its two veth pairs.

    Underlay and inner side have a bridge each. The datapath in user space takes a tunnel packet apart only if the
    tunnel's own address is that of a bridge, and the packet came in at a port of that bridge. The peer has no
    addresses, so that nothing there answers.
    """

    def __init__(self) -> None:
        self._undo = ExitStack()
        try:
            # Named after this process, so that a later run can tell whether it is stale.
            self.directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-"))
            self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.switch, self.peer = Namespace(), Namespace()
            for namespace in (self.switch, self.peer):
                self._undo.callback(namespace.delete)
                namespace.quieten()
            for device in (UNDERLAY, INNER):
                self._add_veth(device)
            self._start()
            self._add_bridge(_UNDERLAY_BRIDGE, UNDERLAY, _UNDERLAY_PORT)
            self._add_bridge(_INNER_BRIDGE, INNER, _INNER_PORT)
            self._add_addresses()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End both daemons, remove the namespaces and the directory."""
        self._undo.close()

    def _add_veth(self, device: str) -> None:
        far_end = ("peer", "name", device, "mtu", _MTU, "netns", self.peer.name)
        self.switch.ip("link", "add", device, "mtu", _MTU, "type", "veth", *far_end)
        for namespace in (self.switch, self.peer):
            # Without this a veth pair leaves checksums to a receiver that never computes them.
            namespace.exec("ethtool", "-K", device, "tx", "off", "gso", "off", "gro", "off", "tso", "off")
            namespace.ip("link", "set", device, "up")

    def _start(self) -> None:
        database, remote = str(self.directory / "conf.db"), f"unix:{self.directory}/db.sock"
        run("ovsdb-tool", "create", database)
        self._spawn(_DATABASE, database, f"--remote=p{remote}")
        self._wait("database", (self.directory / "db.sock").exists)
        self.vsctl("--no-wait", "init")
        # The kernel's datapath is not looked for: its module need not be there.
        self._spawn(_DAEMON, remote, "--disable-system")
        self._wait("switch", (self.directory / f"{_DAEMON}.ctl").exists)

    def _spawn(self, program: str, *arguments: str) -> None:
        """Start a daemon that the kernel ends with our main thread, should we be killed."""
        process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.switch.name),
                *(program, *arguments, "--no-chdir", f"--pidfile={self.directory}/{program}.pid"),
                *(f"--unixctl={self.directory}/{program}.ctl", f"--log-file={self.directory}/{program}.log"),
                *("-vconsole:off", "-vsyslog:off"),
            ],
            env=os.environ | {f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "DB", "LOG", "SYSCONF")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._undo.callback(_end, process)

    def _add_bridge(self, bridge: str, device: str, port: int) -> None:
        self.vsctl(
            *("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure"),
            *(f'other_config:hwaddr="{KERNEL_MAC}"', "--", "add-port", bridge, device),
            *("--", "set", "interface", device, f"ofport_request={port}"),
        )

    def _add_addresses(self) -> None:
        self.flows(
            _UNDERLAY_BRIDGE, f"in_port={_UNDERLAY_PORT},actions=LOCAL", f"in_port=LOCAL,actions={_UNDERLAY_PORT}"
        )
        self.switch.ip("link", "set", _UNDERLAY_BRIDGE, "mtu", _MTU)
        self.switch.ip("addr", "add", f"{KERNEL_IP}/24", "dev", _UNDERLAY_BRIDGE)
        self.switch.ip("addr", "add", f"{KERNEL_IP6}/64", "dev", _UNDERLAY_BRIDGE, "nodad")
        self.switch.ip("link", "set", _UNDERLAY_BRIDGE, "up")
        # The switch hears of routes from the kernel; neighbours it would ask for, and nobody answers.
        self._wait("route", lambda: self.appctl("ovs/route/show").count(f"/24 dev {_UNDERLAY_BRIDGE}") == 1)
        self._wait("IPv6 route", lambda: self.appctl("ovs/route/show").count(f"/64 dev {_UNDERLAY_BRIDGE}") == 1)
        for address in (PEER_IP, PEER_IP6):
            self.appctl("tnl/neigh/set", _UNDERLAY_BRIDGE, address, PEER_MAC)

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                logs = "".join(path.read_text() for path in sorted(self.directory.glob("*.log")))
                raise RuntimeError(f"no {what} after {_PATIENCE} s:\n{logs}")
            time.sleep(0.01)

    def vsctl(self, *arguments: str) -> str:
        """Change the configuration, and wait until the switch has done so."""
        return run("ovs-vsctl", "--no-syslog", f"--db=unix:{self.directory}/db.sock", *arguments).stdout

    def appctl(self, *arguments: str) -> str:
        """Talk to the running switch: `revalidator/purge` empties its cache of flows, for one."""
        return run("ovs-appctl", "-t", f"{self.directory}/{_DAEMON}.ctl", *arguments).stdout

    def flows(self, bridge: str, *flows: str) -> None:
        """Replace the flows of a bridge, in ovs-ofctl's notation."""
        management = f"unix:{self.directory}/{bridge}.mgmt"
        run("ovs-ofctl", "del-flows", management)
        for flow in flows:
            run("ovs-ofctl", "add-flow", management, flow)

    @contextmanager
    def tunnel(
        self, *options: str, ip_version: int = 4, port: int = 4789, vni: int = VNI, outward: str = "", inward: str = ""
    ) -> Iterator[None]:
        """A VXLAN port towards the peer for the time of the block.

        *options* are `name=value` as in the Interface table's options, and replace those given here: `remote_ip=flow`,
        `exts=gpe`, `csum=true`, `tos=inherit`; without a value the option is left out. *outward* and *inward* are
        OpenFlow actions on each frame on its way into the tunnel and out of it.
        """
        local, remote = (KERNEL_IP, PEER_IP) if ip_version == 4 else (KERNEL_IP6, PEER_IP6)
        settings = {"local_ip": local, "remote_ip": remote, "key": str(vni), "dst_port": str(port)}
        settings.update((name, value) for name, _, value in (option.partition("=") for option in options))
        try:
            self.vsctl(
                *("add-port", _INNER_BRIDGE, _TUNNEL, "--", "set", "interface", _TUNNEL, "type=vxlan"),
                f"ofport_request={_TUNNEL_PORT}",
                *(f'options:{name}="{value}"' for name, value in settings.items() if value),
            )
            self.flows(
                _INNER_BRIDGE,
                f"in_port={_INNER_PORT},actions={outward and outward + ','}{_TUNNEL_PORT}",
                f"in_port={_TUNNEL_PORT},actions={inward and inward + ','}{_INNER_PORT}",
            )
            self._wait("tunnel", lambda: f"udp(dst={port})" in self.appctl("tnl/ports/show", "-v"))
            yield
        finally:
            self.vsctl("--if-exists", "del-port", _INNER_BRIDGE, _TUNNEL)

    @contextmanager
    def wire(self, device: str) -> Iterator[Wire]:
        """A raw end on the peer's side: UNDERLAY carries outer frames, INNER those of the tunnel's inside.

        The kernel keeps a frame that begins with a tag and has fewer than 20 bytes from a raw end, though it was sent.
        """
        end = Wire(self.peer, device)
        try:
            yield end
        finally:
            end.close()


def missing() -> str | None:
    """Why there can be no switch here, or None if there can: found by trying."""
    if not _TAP.exists():
        return f"no {_TAP}"
    return namespaces.missing(("ip", *_PROGRAMS))


def sweep() -> list[Path]:
    """Remove the directories of runs whose process is gone, and end what still works in one; return them."""
    stale = []
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*"):
        match = _NAME.fullmatch(directory.name)
        if match and not Path("/proc", match[1]).exists():
            for daemon in _daemons(directory):
                with suppress(ProcessLookupError):
                    os.kill(daemon, signal.SIGKILL)
            shutil.rmtree(directory, ignore_errors=True)
            stale.append(directory)
    return stale


def _daemons(directory: Path) -> list[int]:
    """The processes of *directory*'s pidfiles that are still the daemons which wrote them."""
    found = []
    for pidfile in directory.glob("*.pid"):
        with suppress(OSError, ValueError):
            process = int(pidfile.read_text())
            if f"--pidfile={pidfile}".encode() in Path("/proc", str(process), "cmdline").read_bytes().split(b"\0"):
                found.append(process)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
