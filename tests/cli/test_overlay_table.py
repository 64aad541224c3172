"""The status of an agent as people see it: rates from two looks, what fits on a terminal, what is wrong first."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.cli.overlay.table import in_thousands, span, status_lines
from vxlanpkt.overlay.agent.status import AgentStatus, LinkStatus, PeerStatus
from vxlanpkt.strategies import agent_statuses

LINK = LinkStatus("flannel.1", "vxlan", 1450, "192.0.2.1", 8472, 1, "02:00:00:00:00:01", 1000, 100_000, 10, 1000)
PEERS = tuple(PeerStatus(f"10.5.{n}.0/24", f"192.0.2.{n}", "tunnel", f"02:00:00:00:00:{n:02x}") for n in range(2, 40))
BEFORE = AgentStatus(
    "vxlan", "FileStore('/var/lib/vxlanpkt/network')", "eth0", ("10.5.52.0/24",), 1450, 1000.0, 4600.0, 4711, 87400.0,
    programmed=114, events=38, links=(LINK,), peers=PEERS,
)  # fmt: skip
NOW = dataclasses.replace(
    BEFORE, now=4602.0,
    links=(dataclasses.replace(LINK, rx_packets=3000, rx_bytes=350_000, drops={"VNI_REFUSED": 8, "rx_errors": 900}),),
)  # fmt: skip


def lines(now: AgentStatus, before: AgentStatus | None = None, width: int = 80, **options: int | None) -> list[str]:
    return [line.plain for line in status_lines(now, before, width, **options)]


def cells(told: list[str], first: str) -> list[str]:
    """The row that begins with a word, without the columns' spaces."""
    return next(line.split() for line in told if line.startswith(first) and line != first)


def test_head() -> None:
    assert lines(NOW)[:5] == [
        "vxlan over eth0, MTU 1450, up 1 h 0 min, pid 4711",
        "subnets  10.5.52.0/24",
        "lease    ends in 22 h 59 min",
        "store    FileStore('/var/lib/vxlanpkt/network')",
        "kernel   114 requests; 38 changes of leases",
    ]


def test_rates() -> None:
    """2,000 packets and 250,000 bytes in two seconds."""
    assert cells(lines(NOW, BEFORE, 120), "flannel.1") == [
        "flannel.1", "vxlan", "192.0.2.1:8472", "1.0", "k", "1.0", "M", "0", "0", "908",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "before",
    [
        None,
        dataclasses.replace(BEFORE, pid=4710),
        dataclasses.replace(BEFORE, now=NOW.now),
        dataclasses.replace(BEFORE, now=NOW.now + 1),
        dataclasses.replace(BEFORE, links=(dataclasses.replace(LINK, rx_packets=4000),)),
        dataclasses.replace(BEFORE, links=()),
    ],
)
def test_no_rates(before: AgentStatus | None) -> None:
    """Nothing is made up where there are no two looks at the same counters."""
    assert cells(lines(NOW, before, 120), "flannel.1")[3:] == ["-", "-", "-", "-", "908"]


def test_drops_by_reason() -> None:
    """The most frequent first."""
    told = lines(NOW, BEFORE)
    at = next(number for number, line in enumerate(told) if line.startswith("drops of"))
    assert [line.split() for line in told[at + 1 : at + 3]] == [
        ["flannel.1", "rx_errors", "900", "450"],
        ["flannel.1", "VNI_REFUSED", "8", "4"],
    ]
    assert not [line for line in lines(BEFORE) if line.startswith("drops of")]


def test_peers() -> None:
    """Those that are not reached come first, with the reason; long lists are cut, with a count."""
    unreached = PeerStatus("10.5.99.0/24", "192.0.2.99", "none", why="its VNI is 2, and this node's 1")
    direct = PeerStatus("10.5.98.0/24", "192.0.2.98", "direct")
    told = lines(dataclasses.replace(NOW, peers=(*PEERS, direct, unreached)), peers=4)
    at = told.index("40 subnets of other nodes: 38 by tunnel, 1 direct, 1 not reached")
    assert told[at + 1 : at + 3] == [
        "10.5.99.0/24 of 192.0.2.99 is not reached: its VNI is 2, and this node's 1",
        "subnet       node       path    VTEP",
    ]
    assert told[at + 3].split() == ["10.5.2.0/24", "192.0.2.2", "tunnel", "02:00:00:00:00:02"]
    assert told[at + 6 :] == ["36 more are not shown: --all"]
    assert len(lines(NOW)) - len(lines(NOW, peers=0)) == 38  # the head of the table, for the last line


def test_peers_by_address() -> None:
    """10.5.9.0 is before 10.5.10.0, and IPv4 before IPv6, in whatever order the agent tells of them."""
    six = PeerStatus("fd42:5:3::/64", "2001:db8::3", "tunnel")
    told = lines(dataclasses.replace(NOW, peers=(six, *sorted(PEERS, key=lambda peer: peer.subnet))))
    subnets = [line.split()[0] for line in told if "/24 " in line or "/64 " in line]
    assert subnets == [*(peer.subnet for peer in PEERS), six.subnet]


def test_nobody_else() -> None:
    assert lines(dataclasses.replace(NOW, peers=()))[-1] == "0 subnets of other nodes"


def test_what_is_wrong_is_said() -> None:
    bad = dataclasses.replace(
        NOW, store_fault="no route to host", failed=3, lease_expiry=4502.0,
        faults=("refused: make route 10.5.2.0/24 via 10.5.2.0 dev flannel.1: Network is unreachable", "it is gone"),
        links=(dataclasses.replace(LINK, missing=("UDP_GRO", "UDP_SEGMENT"), tunnel_gso_frames=1200),),
    )  # fmt: skip
    told = lines(bad)
    assert "         does not answer: no route to host" in told
    at = told.index("         refused: make route 10.5.2.0/24 via 10.5.2.0 dev flannel.1: Network is")
    assert told[at + 1 : at + 3] == ["         unreachable", "         it is gone"]
    assert "kernel   114 requests, 3 failed; 38 changes of leases" in told
    assert "lease    ended 1 min 40 s ago" in told
    assert "         flannel.1 would be faster with UDP_GRO, UDP_SEGMENT" in told
    assert "         flannel.1 has sent 1,200 long frames as one" in told
    assert lines(dataclasses.replace(NOW, lease_expiry=None))[2] == "lease    does not end"


@given(now=agent_statuses(), before=agent_statuses(), height=st.integers(1, 60))
def test_any_status(now: AgentStatus, before: AgentStatus, height: int) -> None:
    """No text of another node does more to a terminal than be read, and peers keep to the height."""
    assert all(map(str.isprintable, lines(now, before, 80)))
    least = len(lines(now, before, 80, height=0))
    assert len(lines(now, before, 80, height=height)) <= max(height, least)


@given(
    now=agent_statuses().filter(lambda status: all("." in link.local for link in status.links)),
    width=st.integers(80, 200),
)
def test_links_fit(now: AgentStatus, width: int) -> None:
    """The table of links has room in 80 columns."""
    told = lines(dataclasses.replace(now, links=now.links[:1]), None, width)
    assert all(len(line) <= width for line in told if line.startswith(("flannel", "link")))


def test_columns_are_left_out_of_narrow_terminals() -> None:
    told = {width: next(line for line in lines(NOW, BEFORE, width) if line.startswith("link")) for width in (60, 160)}
    assert "kind" not in told[60] and "kind" in told[160] and "at" in told[160].split()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7.25, "7.2"), (999.94, "999.9"), (999.96, "1.0 k"), (82_113, "82.1 k"), (9.4e9, "9.4 G")],
)
def test_numbers(value: float, text: str) -> None:
    assert in_thousands(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (82_100, "22 h 48 min")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
