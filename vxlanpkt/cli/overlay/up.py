"""`vxlanpkt overlay up`: be a node of an overlay, in the foreground, until a signal or `overlay down` ends it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vxlanpkt.cli.errors_said import printable
from vxlanpkt.cli.overlay.lifetime import RunningAgent, WrittenRecord
from vxlanpkt.cli.overlay.network_file import NetworkFile
from vxlanpkt.cli.overlay.options import agent_options, files_of, store_of, store_options
from vxlanpkt.cli.overlay.signals import stopped_by_signals
from vxlanpkt.errors import FieldError
from vxlanpkt.overlay.agent.identity import BackendType
from vxlanpkt.overlay.leases.backoff import Backoff
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.leases.lease_errors import LeaseFormatError, NoConfigError, StoreError
from vxlanpkt.overlay.leases.subnet_env import DEFAULT_PATH
from vxlanpkt.overlay.service.agent_record import AgentRecord
from vxlanpkt.overlay.service.control import ControlServer
from vxlanpkt.overlay.service.network_namespace import NetworkNamespace
from vxlanpkt.overlay.service.run_files import AgentError, only_one
from vxlanpkt.overlay.stores.etcd_store import EtcdStore
from vxlanpkt.overlay.stores.file_store import FileStore

if TYPE_CHECKING:
    from vxlanpkt.overlay.agent.agent import Agent

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # before a store that cannot be reached is tried again
_STORE_SECONDS = 10.0  # for one question: who stops the agent waits so long at most where the store is away
_MOST_QUEUES = 64

_logger = logging.getLogger("vxlanpkt.overlay")


def _address(kind: type[IPv4Address | IPv6Address]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    def convert(_: click.Context, __: click.Parameter, value: str | None) -> IPv4Address | IPv6Address | None:
        try:
            return None if value is None else kind(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return convert


@click.command()
@click.option("--config", "config_path", metavar="FILE",
              help="The network's configuration, as flannel has it; a store that has none gets it.")  # fmt: skip
@click.option("--replace-config", is_flag=True, help="Put it into a store that has another one.")
@click.option("--iface", "interface", metavar="NAME",
              help="The underlay: its name or an address of it.  [default: that of the default route]")  # fmt: skip
@store_options
@click.option("--backend", type=click.Choice(["vxlan", "vxlan-user"]),
              help="Which of the two this node has; peers see no difference.  [default: as configured]")  # fmt: skip
@click.option("--public-ip", metavar="ADDRESS", callback=_address(IPv4Address),
              help="Where peers send to.  [default: the interface's]")  # fmt: skip
@click.option("--public-ipv6", metavar="ADDRESS", callback=_address(IPv6Address), help="The same of IPv6.")
@click.option("--subnet-env", metavar="FILE", default=DEFAULT_PATH, show_default=True,
              help="Where the CNI plugin finds this node's subnet.")  # fmt: skip
@click.option("--queues", type=click.IntRange(1, _MOST_QUEUES), default=1, show_default=True, metavar="N",
              help="Threads that carry packets, for vxlan-user and udp.")  # fmt: skip
@click.option("--tunnel-gso", is_flag=True,
              help="Let long frames of TCP leave as one, past netfilter; for vxlan-user.")  # fmt: skip
@click.option("--metrics", metavar="ADDRESS:PORT", help="Serve metrics of Prometheus here, over HTTP.")
@agent_options
@click.option("-v", "verbose", is_flag=True, help="Log more.")
def up(
    config_path: str | None,
    replace_config: bool,
    interface: str | None,
    backend: BackendType | None,
    public_ip: IPv4Address | None,
    public_ipv6: IPv6Address | None,
    subnet_env: str,
    queues: int,
    tunnel_gso: bool,
    metrics: str | None,
    run_dir: str,
    name: str,
    verbose: bool,
    **where: Any,
) -> None:
    """Take a subnet, and carry packets until it is stopped.

    SIGTERM, SIGINT and `overlay down` stop it, and everything is taken away. It logs to standard error, and says there
    when packets can pass; to systemd as well, for Type=notify.
    """
    from vxlanpkt.overlay.agent.agent import Agent  # it needs the extra

    if replace_config and config_path is None:
        raise click.UsageError("--replace-config is nothing without --config")
    location, files = store_of(**where), files_of(run_dir, name)
    file = None if config_path is None else NetworkFile.read(config_path)
    subnet_env = str(Path(subnet_env).absolute())
    with ExitStack() as undo:
        undo.enter_context(_logging(verbose))
        undo.enter_context(only_one(files))
        store = location.open(timeout=_STORE_SECONDS, unreadable=_told_once())
        record = WrittenRecord(files)
        agent = Agent(
            store, interface, public_ip=public_ip, public_ipv6=public_ipv6, queues=queues, subnet_env=subnet_env,
            tunnel_gso=tunnel_gso, on_ready=record.on_ready,
            backend=backend or (None if file is None else file.node_backend),
        )  # fmt: skip
        running = RunningAgent(agent)
        undo.enter_context(stopped_by_signals(running.stop))
        undo.enter_context(ControlServer(files, running))
        if metrics is not None:
            undo.enter_context(_metrics(metrics, running))
        network = _network(store, file, replace_config, running)
        if network is None:
            return
        undo.callback(record.end, running)
        namespace = NetworkNamespace.current()
        record.begin(AgentRecord(os.getpid(), location, network.to_json(), subnet_env, namespace))
        _run(agent, network)
        running.has_ended = True


def _run(agent: Agent, network: NetworkConfig) -> None:
    try:
        agent.run(network)
    except ValueError as error:  # the network is one that this node cannot join
        _logger.debug("the agent gives up", exc_info=True)
        raise AgentError(str(error)) from error


def _network(
    store: FileStore | EtcdStore, file: NetworkFile | None, replace: bool, running: RunningAgent
) -> NetworkConfig | None:
    """The network's configuration, as soon as the store has it; None if the agent is stopped before."""
    pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
    while not running.stopping.is_set():
        try:
            if file is not None:
                file.bring_into(store, replace=replace)
            return store.config()
        except StoreError as error:
            pause = pauses.pause()
            hint = "; --config FILE gives it one" if isinstance(error, NoConfigError) else ""
            _logger.warning("%s%s; tried again in %g s", error, hint, pause)
            running.stopping.wait(pause)
    return None


def _told_once() -> Callable[[LeaseFormatError], None]:
    """What tells of each unreadable thing once: it is met at every look into the store."""
    told: set[str] = set()

    def tell(error: LeaseFormatError) -> None:
        if str(error) not in told:
            told.add(str(error))
            _logger.warning("passed over: %s", error)

    return tell


@contextmanager
def _metrics(address: str, running: RunningAgent) -> Iterator[None]:
    from vxlanpkt.overlay.service.metrics import serve_metrics

    try:
        server = serve_metrics(address, running.status)
    except FieldError as error:
        raise click.BadParameter(str(error), param_hint="--metrics") from error
    except OSError as error:
        raise AgentError(f"--metrics: cannot listen at {address}: {error.strerror or error}") from error
    try:
        _logger.info("metrics at port %d", server.port)
        yield
    finally:
        server.close()


class _Formatter(logging.Formatter):
    """Lines for a terminal: what etcd and other nodes say is in some of them."""

    def format(self, record: logging.LogRecord) -> str:
        """The usual text, without control characters."""
        return printable(super().format(record))


@contextmanager
def _logging(verbose: bool) -> Iterator[None]:
    """What the library logs goes to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger("vxlanpkt")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
