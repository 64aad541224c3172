"""The language of filters: what expressions mean, and where wrong ones are wrong."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

import vxlanpkt
from vxlanpkt import (
    ARP,
    TCP,
    UDP,
    VXLAN,
    DecapPolicy,
    Dot1Q,
    Ethernet,
    FieldError,
    Filter,
    FilterError,
    FrameBatch,
    IPv4,
    IPv6,
    LinkType,
    Packet,
    Tunnel,
    decap,
    decap_batch,
)
from vxlanpkt.expressions import parse_expression

A, B = "02:00:00:00:00:01", "02:00:00:00:00:02"
TUNNEL = Tunnel(5000, "192.0.2.1", "192.0.2.2", "02:00:00:00:00:0a", "02:00:00:00:00:0b", src_port=50000)
INNER = {
    "tcp": Packet(Ethernet(B, A), IPv4("10.0.0.1", "10.0.0.2"), TCP(40000, 443)),
    "udp": Packet(Ethernet(A, B), IPv6("2001:db8::1", "2001:db8::2"), UDP(53, 5353), payload=bytes(100)),
    "arp": Packet(Ethernet("ff:ff:ff:ff:ff:ff", A), ARP(1, A, "10.0.0.1", 0, "10.0.0.2")),
    "tagged": Packet(Ethernet(B, A), Dot1Q(4095), IPv4("10.9.9.9", "10.0.0.1", ecn=3, dscp=46, protocol=253)),
    "zero": Packet(Ethernet(B, A), IPv4("10.0.0.1", "10.0.0.2"), UDP(0, 53)),
    "zeros": Packet(Ethernet(B, A), IPv4("10.0.0.1", "10.0.0.2"), UDP(0, 0)),
    "other": Packet(Ethernet(B, A, 0x88B5), payload=b"x"),
}
FRAMES = {name: TUNNEL.replace(vni=5000 + at).encap(inner.build()) for at, (name, inner) in enumerate(INNER.items())}
FRAMES["outer6"] = Tunnel(
    9, "2001:db8::a", "2001:db8::b", A, B, dst_port=8472, vlans=[7], group_policy=77, src_port=0
).encap(INNER["tcp"].replace(TCP, flags=0x12).build())  # fmt: skip
FRAMES["refused"] = INNER["tcp"].build()
ALL = [name for name in FRAMES if name != "refused"]
IN_IPV4 = [name for name in ALL if name != "outer6"]
RESULT = decap_batch(FrameBatch.from_frames(FRAMES.values()))


def chosen(text: str) -> list[str]:
    """The names of the frames that match; one by one `matches` says the same."""
    names = [name for name, mark in zip(FRAMES, Filter(text).select(RESULT), strict=True) if mark]
    assert names == [name for name in ALL if Filter(text).matches(decap(FRAMES[name]))]
    return names


MEANINGS: dict[str, list[str]] = {
    # What is not said of the outer frame is said of the inner.
    "host 192.0.2.1": [], "outer host 192.0.2.1": IN_IPV4, "inner host 10.9.9.9": ["tagged"],
    "outer src 192.0.2.2": [], "outer dst 192.0.2.2": IN_IPV4, "outer 192.0.2.0/24": IN_IPV4,
    "outer (ip and src 192.0.2.1 and inner ip6)": ["udp"], "outer (192.0.2.1)": IN_IPV4,
    "outer (host 2001:db8::a) or 2001:db8::b": ["outer6"],
    "outer udp": ALL, "outer ip6": ["outer6"], "outer ip": IN_IPV4,
    # ARP speaks of addresses too.
    "host 10.0.0.1": ["tcp", "arp", "tagged", "zero", "zeros", "outer6"], "ip host 10.9.9.9": ["tagged"],
    "arp host 10.0.0.1": ["arp"], "arp src 10.0.0.2": [], "arp dst net 10.0.0.2/31": ["arp"],
    "src and dst net 10.0.0.0/29": ["tcp", "arp", "zero", "zeros", "outer6"], "src or dst 10.9.9.9": ["tagged"],
    "dst || src 10.9.9.9": ["tagged"], "dst && src 10.9.9.9": [], "ip6 net ::/0": ["udp"], "net ::/0": ["udp"],
    # Directions, lists, and values that stand alone.
    "src port 443": [], "dst port 443": ["tcp", "outer6"], "port 53": ["udp", "zero"], "tcp port 53": [],
    "tcp dst port 443 or 444": ["tcp", "outer6"], "port (5353 or 443)": ["tcp", "udp", "outer6"],
    "udp src portrange 50-60": ["udp"], "host (10.9.9.9 or 2001:db8::1)": ["udp", "tagged"],
    "vni 5000": ["tcp"], "vni 5000,5002-5003": ["tcp", "arp", "tagged"], "vni 0x1388 or 5001": ["tcp", "udp"],
    "not vni 5000 and 5000-5002": ["udp", "arp"],
    # Ports of 0: where the other one is not 0, a column can tell.
    "port 0": ["zero"], "src port 0": ["zero"], "dst port 0": [], "portrange 0-65535": ["tcp", "udp", "zero", "outer6"],
    "outer src port 0": ["outer6"], "outer port 8472": ["outer6"], "outer src port 50000": IN_IPV4,
    # Protocols.
    "tcp": ["tcp", "outer6"], "udp": ["udp", "zero", "zeros"], "icmp": [], "icmp6": [], "arp": ["arp"], "rarp": [],
    "ip": ["tcp", "tagged", "zero", "zeros", "outer6"], "ip6": ["udp"], "proto 253": ["tagged"],
    "ip6 proto 17": ["udp"], r"ip proto \udp": ["zero", "zeros"], "proto 0": [],
    "proto tcp or 253": ["tcp", "tagged", "outer6"],
    r"ether proto \arp": ["arp"], "ether proto 0x88b5": ["other"],
    "ether proto 2048": ["tcp", "tagged", "zero", "zeros", "outer6"],
    "tcp[tcpflags] & tcp-syn != 0": ["outer6"], "tcp[tcpflags] = tcp-syn": [], "tcp[13] == 0x12": ["outer6"],
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)": ["outer6"], "tcp[13] & tcp-ack = 0": ["tcp"],
    "tcp[tcpflags] == 0": ["tcp"], "tcp[tcpflags] != 0": ["outer6"], "not tcp[13] & 2 = 2 and tcp": ["tcp"],
    "tcp[tcpflags] & tcp-fin = tcp-syn": [], "tcp[tcpflags] & tcp-fin != tcp-syn": ["tcp", "outer6"],
    # The link layer.
    f"ether src {B}": ["udp"], f"ether host {B}": [name for name in ALL if name != "arp"],
    f"ether dst {A} or {B}": [name for name in ALL if name != "arp"], f"ether {B} and arp": [],
    "ether src 0200.0000.0002": ["udp"], "broadcast": ["arp"], "ether multicast": ["arp"], "outer broadcast": [],
    "outer ether src 02-00-00-00-00-0a": IN_IPV4, f"outer ether dst {B}": ["outer6"],
    "vlan": ["tagged"], "vlan 4095": ["tagged"], "vlan 4000-4095": ["tagged"], "vlan 0-4094": [],
    "outer vlan": ["outer6"], "outer vlan 7": ["outer6"], "outer vlan 4095": [],
    "not vlan and ip": ["tcp", "zero", "zeros", "outer6"],
    # Lengths, marks, group policy.
    "len = 54": ["tcp", "outer6"], "len == 54": ["tcp", "outer6"], "len < 20": ["other"], "len <= 15": ["other"],
    "len > 100": ["udp"], "len >= 162": ["udp"], "len != 42 and less 45": ["tagged", "other"], "greater 162": ["udp"],
    "less 15 or greater 163": ["other"], "len < 0": [], "len > 4294967295": [],
    "ecn ce": ["tagged"], "ecn 3": ["tagged"], "dscp 46": ["tagged"], "not ecn not-ect": ["arp", "tagged", "other"],
    "gbp": ["outer6"], "gbp 77": ["outer6"], "gbp 1-76,78": [], "gbp (5 or 77)": ["outer6"],
    # Joining.
    "not ip": ["udp", "arp", "other"], "! ip && !arp": ["udp", "other"], "not (ip or arp)": ["udp", "other"],
    "ip and tcp or arp": ["tcp", "arp", "outer6"], "not not arp": ["arp"], "!arp and !ip and !ip6": ["other"],
    "ip and (tcp or vlan)": ["tcp", "tagged", "outer6"], "arp or ip6 or vlan": ["udp", "arp", "tagged"],
    "\tarp\nor   ip6 ": ["udp", "arp"],
}  # fmt: skip


@pytest.mark.parametrize("text", MEANINGS)
def test_meaning(text: str) -> None:
    assert chosen(text) == MEANINGS[text]


# The expression, where it is wrong, what is there, and words of the message.
FAULTS: list[tuple[str, int, str, str]] = [
    ("", 0, "", "the end is not what a term begins with"),
    ("  ", 2, "", "the end"),
    ("vni", 3, "", "a VNI, 0 to 16777215"),
    ("vni 16777216", 4, "16777216", "a VNI, 0 to 16777215"),
    ("vni -1", 4, "-1", "a range of numbers, 0 to 16777215"),
    ("vni 7-5", 4, "7-5", "from a smaller to a larger number"),
    ("vni 5-", 4, "5-", "a range of numbers"),
    ("vni 5-16777216", 4, "5-16777216", "0 to 16777215"),
    ("vni 5,", 6, "", "a VNI"),
    ("vni 1e3", 4, "1e3", "a VNI"),
    ("gbp 65536", 4, "65536", "a group policy ID, 0 to 65535"),
    ("vlan 4096", 5, "4096", "a VLAN ID, 0 to 4095"),
    ("host", 4, "", "the end is not an IP address\n"),
    ("host 10.0.0", 5, "10.0.0", "an IP address"),
    ("host 10.0.0.0/8", 5, "10.0.0.0/8", "'net P/LENGTH'"),
    ("host example", 5, "example", "names are not looked up"),
    ("host 02:00:00:00:00:01", 5, "02:00:00:00:00:01", "asked for by 'ether host'"),
    ("host fe80::1%eth0", 12, "%", "there are no zones"),
    ("net 10.0.0.0", 4, "10.0.0.0", "an IP prefix"),
    ("net 10.0.0.1/8", 4, "10.0.0.1/8", "write 10.0.0.0/8"),
    ("net 10.0.0.0/33", 4, "10.0.0.0/33", "an IP prefix"),
    ("ip host ::1", 8, "::1", "an IPv4 address"),
    ("ip6 net 10.0.0.0/8", 8, "10.0.0.0/8", "an IPv6 prefix"),
    ("arp host ::1", 9, "::1", "an IPv4 address"),
    ("port", 4, "", "a port, 0 to 65535\n"),
    ("port 65536", 5, "65536", "a port, 0 to 65535"),
    ("port 010", 5, "010", "octal to tcpdump"),
    ("port 80-90", 5, "80-90", "'portrange'"),
    ("port http", 5, "http", "names are not looked up"),
    ("portrange 80", 10, "80", "a range of ports, N-M"),
    ("portrange 90-80", 10, "90-80", "from a smaller"),
    ("src", 3, "", "or an IP address"),
    ("src vni 5", 4, "vni", "or an IP address"),
    ("tcp src 10.0.0.1", 8, "10.0.0.1", "write 'tcp and host A'"),
    ("tcp host 10.0.0.1", 4, "host", "put 'and' in front of it"),
    ("ip port 80", 3, "port", "put 'and' in front of it"),
    ("ether", 5, "", "'host' or a MAC address behind 'ether'"),
    ("ether host 10.0.0.1", 11, "10.0.0.1", "a MAC address"),
    ("ether proto 46", 12, "46", "an EtherType, 0x600 to 0xffff"),
    ("ether proto ipx", 12, "ipx", "an EtherType"),
    ("proto 256", 6, "256", "a protocol, 0 to 255"),
    ("proto nothing", 6, "nothing", "names are not looked up"),
    ("len 5", 4, "5", "one of < > <= >= = == !="),
    ("len = many", 6, "many", "a length"),
    ("ecn 4", 4, "4", "not-ect, ect0, ect1, ce or a number"),
    ("dscp 64", 5, "64", "a DSCP, 0 to 63"),
    ("outer tcp", 6, "tcp", "behind 'outer' stands one of"),
    ("outer (ip and arp)", 14, "arp", "behind 'outer' stands one of"),
    ("outer len = 5", 6, "len", "behind 'outer' stands one of"),
    ("outer ip proto 17", 9, "proto", "those of UDP"),
    ("outer ether proto ip", 12, "proto", "'outer ip'"),
    ("outer vni 5", 6, "vni", "there is one of it in a frame"),
    ("inner gbp", 6, "gbp", "there is one of it in a frame"),
    ("inner", 5, "", "behind 'inner'"),
    ("outer not ip", 6, "not", "behind 'outer'"),
    ("outer inner ip", 6, "inner", "behind 'outer'"),
    ("tcp and", 7, "", "what a term begins with"),
    ("and tcp", 0, "and", "what a term begins with"),
    ("tcp udp", 4, "udp", "put 'and' in front of it"),
    ("not", 3, "", "what a term begins with"),
    ("tcp or udp and vni 5", 11, "and", "put parentheses around what belongs together"),
    ("tcp && arp || udp && ip", 18, "&&", "Wireshark 'and' first"),
    ("(tcp or udp", 11, "", "'and', 'or' or ')'"),
    ("tcp)", 3, ")", "'and', 'or' or the end"),
    ("()", 1, ")", "what a term begins with"),
    ("port (80 or 81", 14, "", "')'"),
    ("port (80 or tcp)", 12, "tcp", "a port"),
    ("vni == 5", 4, "==", "a VNI"),
    ("tcp == 5", 4, "==", "only 'len' is compared by a sign"),
    ("ip.src == 10.0.0.1", 0, "ip.src", "Wireshark's display filters; the word for it here: src host A"),
    ("tcp and vxlan.vni == 5", 8, "vxlan.vni", "the word for it here: vni N"),
    ("tcp.flags.syn", 0, "tcp.flags.syn", "looks like a field of Wireshark's display filters"),
    ("tpc port 5", 0, "tpc", "did you mean 'tcp'?"),
    ("TCP", 0, "TCP", "did you mean 'tcp'?"),
    ("qqqqq", 0, "qqqqq", "what a term begins with"),
    ("ip[6] = 2", 2, "[", "bytes of headers cannot be asked for, but for tcp[tcpflags]"),
    ("tcp[12] = 2", 4, "12", "'tcpflags'"),
    ("tcp[13 = 2", 7, "=", "']'"),
    ("tcp[tcpflags]", 13, "", "one of = == !=, or & and the flags to look at"),
    ("tcp[tcpflags] & tcp-syn", 23, "", "one of = == !="),
    ("tcp[tcpflags] & tcp-sin != 0", 16, "tcp-sin", "flags, 0 to 255"),
    ("tcp[tcpflags] & (tcp-syn tcp-ack) != 0", 25, "tcp-ack", "'|' or ')'"),
    ("tcp[tcpflags] = 256", 16, "256", "flags, 0 to 255"),
    ("tcp & udp", 4, "&", "'and', 'or' or the end"),
    ("tcp; udp", 3, ";", "a word, a value, a sign or a parenthesis"),
    ("(" * 101 + "tcp" + ")" * 101, 101, "tcp", "within 100 parentheses"),
    ("not " * 101 + "tcp", 404, "tcp", "within 100 parentheses"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "found", "words"), FAULTS, ids=[text[:30] for text, *_ in FAULTS])
def test_fault(text: str, position: int, found: str, words: str) -> None:
    """The error says where, what is there and what should be, and points at it."""
    with pytest.raises(FilterError) as caught:
        Filter(text)
    error = caught.value
    assert (error.position, error.found) == (position, found)
    assert (error.layer, error.field, error.value, error.bits) == ("Filter", "text", text, None)
    message, shown, mark = str(error).split("\n")
    assert words in message + "\n"
    assert error.expected in message
    assert repr(found) in message if found else "the end" in message
    assert shown.strip() == text.strip()
    assert mark == " " * (2 + position) + "^" * max(len(found), 1)


def test_fault_in_several_lines() -> None:
    """What is shown is one line, in which the mark is right."""
    with pytest.raises(FilterError) as caught:
        Filter("tcp and\n\tprot 5")
    assert str(caught.value).split("\n")[1:] == ["  tcp and  prot 5", "           ^^^^"]


def test_faults_are_values() -> None:
    """They pickle, and are errors of a field."""
    with pytest.raises(FieldError) as caught:
        Filter("vni")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, FilterError)
    assert (str(again), again.position) == (str(caught.value), 3)
    with pytest.raises(FieldError, match="is not text"):
        Filter(5)  # type: ignore[arg-type]


def test_faults_without_assertions() -> None:
    """`python -O` leaves assertions out, and refuses a wrong text as well."""
    program = "import vxlanpkt\ntry: vxlanpkt.Filter('vni')\nexcept vxlanpkt.FilterError: print('refused')"
    done = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def nested(depth: int) -> str:
    """`and` and `or` in turn, so many inside each other."""
    text = "tcp"
    for level in range(depth):
        text = f"(vni {level} {'and' if level % 2 else 'or'} {text})"
    return text


def test_depth() -> None:
    """There is an end to what fits the registers, and it is said."""
    assert Filter(nested(32)).select(RESULT)
    with pytest.raises(FilterError, match="deep inside each other"):
        Filter(nested(33))
    assert Filter("(" * 100 + "tcp" + ")" * 100).select(RESULT)


def test_value() -> None:
    """Frozen, compared by its text, hashable, printed as it is made; joined by `&`, `|` and `~`."""
    made = Filter("vni 5000")
    made.select(RESULT)
    for same in (Filter("vni 5000"), copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert same == made and hash(same) == hash(made) and same.text == "vni 5000"
    assert made != Filter("vni 5001")
    assert repr(made) == "Filter(text='vni 5000')"
    with pytest.raises(FrozenInstanceError):
        made.text = "tcp"  # type: ignore[misc]
    assert (made | Filter("arp or ip6") & ~Filter("ip6")).text == "(vni 5000) or ((arp or ip6) and (not (ip6)))"
    assert chosen((made | Filter("arp or ip6") & ~Filter("ip6")).text) == ["tcp", "arp"]
    with pytest.raises(TypeError):
        made & "tcp"  # type: ignore[operator]
    with pytest.raises(TypeError):
        made | "tcp"  # type: ignore[operator]


def test_brief_columns() -> None:
    """They do for what they say; for other words the error names what is not there."""
    brief = decap_batch(FrameBatch.from_frames(FRAMES.values()), columns="brief")
    for text in ("vni 5000 or (gbp and len > 20)", "outer ether src 02:00:00:00:00:0a", "not vni 5000"):
        assert list(Filter(text).select(brief)) == list(Filter(text).select(RESULT))
    missing = {"tcp": "inner_protocol", "ecn ce": "inner_family", "ether src " + A: "inner_link_type"}
    for text, column in missing.items():
        with pytest.raises(FieldError, match=f"asks for {column}, which is not among the brief columns"):
            Filter(text).select(brief)


def test_no_batch() -> None:
    with pytest.raises(FieldError, match="FrameBatch is not a DecapBatch"):
        Filter("tcp").select(RESULT.frames)  # type: ignore[arg-type]


def test_rows_without_a_header() -> None:
    """What begins with no Ethernet header has no MAC addresses outside, a bare payload nothing at all."""
    payloads = FrameBatch.from_frames([frame[42:] for frame in (FRAMES["tcp"], FRAMES["udp"])])
    result = decap_batch(payloads, start=VXLAN)
    for text in ("outer udp", "outer ip", "outer src port 0", "outer ether src 02:00:00:00:00:0a", "outer vlan"):
        assert list(Filter(text).select(result)) == [0, 0]
    assert list(Filter("tcp and vni 5000").select(result)) == [1, 0]
    assert Filter("tcp").matches(decap(bytes(payloads[0]), start=VXLAN))


def test_frames_as_they_were_in_the_tunnel() -> None:
    """What the policy alters on the way out does not count."""
    policy = DecapPolicy(inner_vlan="strip")
    result = decap_batch(RESULT.frames, policy=policy)
    row = list(FRAMES).index("tagged")
    assert Filter("vlan 4095 and len = 38").select(result)[row]
    assert Filter("vlan 4095 and len = 38").matches(decap(FRAMES["tagged"], policy=policy))


def test_bare_packets() -> None:
    """What GPE carries without Ethernet has addresses and marks, and no MAC addresses."""
    policy = DecapPolicy(ports=(4790,), gpe=True)
    inner = Packet(IPv4("10.0.0.1", "10.0.0.2", ecn=3), UDP(1, 2), start=LinkType.RAW).build()
    wire = TUNNEL.replace(gpe=True, dst_port=4790).encap(inner, start=LinkType.RAW)
    result = decap_batch(FrameBatch.from_frames([wire]), policy=policy)
    for text in ("ecn ce", "ip and udp port 2", "host 10.0.0.1", "len = 28", "not ether host 00:00:00:00:00:00"):
        assert list(Filter(text).select(result)) == [1], text
        assert Filter(text).matches(decap(wire, policy=policy)), text
    assert list(Filter("broadcast or vlan or arp or ecn not-ect").select(result)) == [0]


def test_more_tags_than_are_counted() -> None:
    """What is behind 255 tags is not found where bytes are asked for: a column does not count further."""
    inner = [
        Packet(Ethernet(B, A), *[Dot1Q(1)] * tags, IPv4("10.0.0.1", "10.0.0.2", ecn=3), UDP(1, 2)).build()
        for tags in (254, 255, 256)
    ]
    result = decap_batch(FrameBatch.from_frames([TUNNEL.encap(frame) for frame in inner]))
    assert list(Filter("ecn ce").select(result)) == [1, 0, 0]
    assert list(Filter("ip and vlan 1 and host 10.0.0.1").select(result)) == [1, 1, 1]


def test_written_again() -> None:
    """A result that is used again is asked anew."""
    made, out = Filter("tcp"), decap_batch(RESULT.frames)
    assert sum(made.select(out)) == 2
    decap_batch(FrameBatch.from_frames([bytes(60)] * len(FRAMES)), out=out)
    assert sum(made.select(out)) == 0


def test_no_rows() -> None:
    assert len(Filter("tcp").select(decap_batch(FrameBatch.from_frames([])))) == 0


def test_marks_are_bytes() -> None:
    """So that NumPy and friends take them for a mask."""
    marks = Filter("tcp").select(RESULT)
    assert (marks.format, marks.itemsize, len(marks)) == ("B", 1, len(FRAMES))


def test_trees_of_like_expressions() -> None:
    """Spellings of the same are the same."""
    for one, other in (
        ("src host 10.0.0.1", "src 10.0.0.1"),
        ("inner (tcp)", "tcp"),
        ("port 80 or 443", "port (80 or 443)"),
        ("less 100", "len <= 100"),
        ("ether broadcast", "broadcast"),
        ("tcp && ! udp", "tcp and not udp"),
        ("tcp and ip or arp", "(tcp and ip) or arp"),
    ):
        assert parse_expression(one) == parse_expression(other), one


def test_it_is_loaded_when_used() -> None:
    assert "Filter" in vxlanpkt.__all__ and "FilterError" in vxlanpkt.__all__


@pytest.mark.parametrize("first", ["src host 10.0.0.9", "vni 1", "port 80", "outer host 192.0.2.1"])
def test_joined_filters_mean_what_they_mean_alone(first: str) -> None:
    """A value alone means what the one before it meant, but not what stands in another parenthesis."""
    second = "10.9.9.9"
    both, either = Filter(first) & Filter(second), Filter(first) | Filter(second)
    assert chosen(both.text) == [name for name in chosen(first) if name in chosen(second)]
    assert sorted(chosen(either.text)) == sorted({*chosen(first), *chosen(second)})


@pytest.mark.parametrize("text", ["vni {}", "vni 1-{}", "port {}", "len > {}", "host {}", "vni 0x{}"])
def test_numbers_of_any_length(text: str) -> None:
    """Python reads no decimal number of more than 4300 digits, and raises what is no error of ours."""
    with pytest.raises(FilterError):
        Filter(text.format("9" * 5000))


def test_what_is_refused_is_shown_without_control_characters() -> None:
    with pytest.raises(FilterError) as caught:
        Filter("vni \x1b]0;title\x07\u202e")
    assert all(character.isprintable() or character == "\n" for character in str(caught.value))
