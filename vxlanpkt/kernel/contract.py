"""What callers and kernels hand each other for bulk work: rules, columns, and the codes in them.

Plain numbers and bytes, so that a kernel in C can hold the same in structs.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple

CONTRACT = 0xF7BCEDC5  # stands for csrc/contract.h: an extension with another number was built from other declarations
UNTAGGED = 0xFFFF  # in a VLAN column: there is no tag (0xffff is no TCI: VID 4095 is reserved)
NO_ECN = 0xFF  # in the ECN column: the inner frame has none, or the policy does not look
NO_LINK_TYPE = 0xFFFF  # what is inside is neither Ethernet nor IP


class Note(IntFlag):
    """Bits of the notes column: what is worth knowing of a frame beside its status."""

    CUT = 0x01  # the capture kept only part of the inner frame
    PADDING = 0x02  # bytes behind the outer IP packet
    TRAILER = 0x04  # bytes of the outer IP packet behind the UDP datagram
    STRIPPED = 0x08  # the policy took the inner frame's VLAN tag off
    REMARKED = 0x10  # the policy changed the inner frame's ECN


class Trait(IntFlag):
    """Bits of the traits column: what the first IP header of a frame says."""

    ECN = 0x03
    DF = 0x04
    FRAGMENT = 0x08
    LATER = 0x10  # a fragment, and not the first one
    TOO_BIG = 0x20  # the packet is an ICMP message that says that another one was too big
    SEGMENT = 0x40  # of TCP, and it takes room in the sequence
    IP = 0x80  # there is an IP header, and it is sound


class ChecksumState(IntEnum):
    """What a checksum column says; only those verified are VALID, PARTIAL or BAD."""

    UNCHECKED = 0
    ABSENT = 1  # UDP's zero
    VALID = 2
    PARTIAL = 3  # the folded sum of the pseudo-header: left to the sender's device to finish
    BAD = 4


class Lengths(IntEnum):
    """Which length fields are believed: see `DecapPolicy.lengths`."""

    STRICT = 0
    SNAPPED = 1
    CAPTURED = 2


class InnerVLAN(IntEnum):
    """What becomes of a tagged inner frame."""

    KEEP = 0
    STRIP = 1
    DROP = 2


class ECNRule(IntEnum):
    """What becomes of a congestion mark outside."""

    IGNORE = 0
    RFC6040 = 1
    LINUX = 2  # as RFC 6040, but tagged inner frames are not looked into, and the version inside is believed
    OVS = 3  # only CE is carried inwards, past one tag; a broken inner IP header counts as Not-ECT


class IPOptions(IntEnum):
    """What becomes of outer IPv4 options and IPv6 extension headers."""

    DROP = 0
    ACCEPT = 1
    HOST = 2  # judged one by one, as a host does
    OVS = 3  # none over IPv4; over IPv6 those of RFC 8200 and AH, unread


class GPERule(IntEnum):
    """Whether the generic protocol extension is understood."""

    OFF = 0
    ON = 1
    LINUX = 2  # nothing else is accepted, and an inner Ethernet frame is passed on unread
    OVS = 3  # any version, and nothing inside but Ethernet


class InnerLength(IntEnum):
    """Whether an inner IP header has to be whole."""

    IGNORE = 0
    CHECK = 1
    LINUX = 2  # behind a tag only so much is asked for as it takes to remove it


class UDPLength(IntEnum):
    """How far the length field of the outer UDP header is believed."""

    CHECK = 0
    JUMBO = 1  # over IPv6, 0 stands for all bytes there (RFC 2675 section 4)
    IGNORE = 2  # all bytes of the IP packet are the datagram; its checksum covers all to the frame's end
    OVERRUN = 3  # over IPv4, up to 20 bytes too many are the bytes there


class DecapRules(NamedTuple):
    """A decapsulation policy as a kernel takes it: `DecapPolicy` compiled."""

    ports: frozenset[int]
    vnis: frozenset[int] | None
    sources: tuple[tuple[int, int, int], ...] | None  # (IP version, network, mask)
    reserved_mask: int  # 64 bits of the header that have to be zero, extensions taken out
    gbp: bool
    gpe: GPERule
    verify_ip_checksum: bool
    verify_udp_checksum: bool
    zero_checksum6: bool
    atomic_fragments: bool
    ip_options: IPOptions
    check_outer_source: bool
    udp_length: UDPLength
    inner_vlan: InnerVLAN
    check_inner_source: bool
    check_inner_length: InnerLength
    own_macs: frozenset[bytes]
    ecn: ECNRule
    lengths: Lengths


# The columns of a decapsulated batch, with the `array` type code of each; ADDRESS stands for 16 bytes: an IPv6
# address, or an IPv4 address as ::ffff:a.b.c.d. They lie behind each other in one buffer, widest items first, so that
# each is aligned.
ADDRESS = "16s"
DECAP_COLUMNS: Mapping[str, str] = {
    "inner_offset": "Q",
    "outer_src": ADDRESS,
    "outer_dst": ADDRESS,
    "inner_src": ADDRESS,
    "inner_dst": ADDRESS,
    "vni": "I",
    "flags": "I",
    "inner_length": "I",
    "inner_original_length": "I",
    "outer_vlan": "H",
    "outer_src_port": "H",
    "outer_dst_port": "H",
    "inner_link_type": "H",
    "inner_vlan": "H",
    "inner_ethertype": "H",
    "inner_src_port": "H",
    "inner_dst_port": "H",
    "inner_tcp_flags": "H",
    "status": "B",
    "notes": "B",
    "reserved": "B",
    "outer_family": "B",
    "outer_tags": "B",
    "ip_checksum": "B",
    "udp_checksum": "B",
    "inner_tags": "B",
    "inner_family": "B",
    "inner_protocol": "B",
    "inner_ecn": "B",
}
# What is worth having where only the inner frames are wanted.
BRIEF_COLUMNS: Mapping[str, str] = {
    name: DECAP_COLUMNS[name]
    for name in ("inner_offset", "vni", "flags", "inner_length", "inner_original_length", "status", "notes")
}


def family_of(column: str) -> str:
    """The column of IP versions that belongs to one of addresses."""
    return "outer_family" if column.startswith("outer") else "inner_family"


# The columns of an encapsulated batch; the bytes of the rows lie behind them.
ENCAP_COLUMNS: Mapping[str, str] = {"offsets": "Q", "lengths": "I", "status": "B"}
# The columns of records of a capture: where the data of each lies in the buffer, its times, and its lengths: with the
# frame check sequence as the file says them, and `length` and `frame_length` of the frame alone, captured and sent.
RECORD_COLUMNS: Mapping[str, str] = {
    "offset": "Q",
    "raw_timestamp": "Q",
    "timestamp_ns": "q",
    "captured_length": "I",
    "original_length": "I",
    "length": "I",
    "frame_length": "I",
    "interface": "I",
    "options_length": "I",
    "fcs_length": "B",
    "timed": "B",
}
# What the first IP header of a frame says: the packet's length, the identification of IPv4, and of TCP where a segment
# begins and how much of the sequence it takes.
TRAIT_COLUMNS: Mapping[str, str] = {
    "length": "I",
    "identification": "I",
    "sequence": "I",
    "segment": "I",
    "traits": "B",
}
# For each row, the number of the record that was the same, and whether there was one: see kernel/sightings.py.
SIGHTING_COLUMNS: Mapping[str, str] = {"earlier": "Q", "repeated": "B"}
WIDTHS: Mapping[str, int] = {"Q": 8, "q": 8, ADDRESS: 16, "I": 4, "H": 2, "B": 1}


class Layout:
    """Where the columns of so many rows lie in one buffer."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.row_size = 0  # the bytes of a row in all columns
        self._places: dict[str, tuple[int, str]] = {}
        for name, code in columns.items():
            self._places[name] = self.row_size, code
            self.row_size += WIDTHS[code]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def place(self, name: str) -> tuple[int, str]:
        """The bytes of a row in the columns before this one, and its type code."""
        return self._places[name]

    def column(self, name: str, rows: int, buffer: memoryview) -> memoryview:
        """One column as a view of *buffer*; one of addresses as bytes."""
        before, code = self._places[name]
        if rows == 0:  # which no view can be cast to
            return memoryview(array("B" if code == ADDRESS else code))
        view = buffer[rows * before : rows * (before + WIDTHS[code])]
        return view if code in (ADDRESS, "B") else view.cast(code)  # type: ignore[call-overload]


DECAP_LAYOUT, BRIEF_LAYOUT, ENCAP_LAYOUT = Layout(DECAP_COLUMNS), Layout(BRIEF_COLUMNS), Layout(ENCAP_COLUMNS)
RECORD_LAYOUT = Layout(RECORD_COLUMNS)
TRAIT_LAYOUT, SIGHTING_LAYOUT = Layout(TRAIT_COLUMNS), Layout(SIGHTING_COLUMNS)
# Inner frames that were altered; their bytes lie behind the columns.
ALTERED_LAYOUT = Layout({"offsets": "Q", "lengths": "I", "original_lengths": "I"})

# In a column of nanoseconds: there is no timestamp, or none that 64 bits hold.
NO_TIMESTAMP = -(1 << 63)
FINEST_UNITS = 10**18  # a second of finer units has no place in a column of nanoseconds

# What functions over batches return in place of a count: the output is too small, or overlaps the input; columns are
# not as wide or as long as they have to be; a filter's program asks for what is not there.
NO_SPACE, OVERLAP, WRONG_COLUMNS, UNSOUND = -1, -2, -3, -4

# In a column of tunnels: there is none for this row.
NO_TUNNEL = 0xFFFFFFFF
# In a column of groups: there is none with this key.
NO_GROUP = 0xFFFFFFFF
# In a column of IPv4's identifications: there is none.
NO_IDENTIFICATION = 0xFFFFFFFF


@dataclass(slots=True)
class DecapRecord:
    """What a kernel says of one frame: a row of the columns. What was not reached keeps these values."""

    status: int = 0
    notes: int = 0
    vni: int = 0
    flags: int = 0
    reserved: int = 0
    outer_family: int = 0
    outer_tags: int = 0
    outer_vlan: int = UNTAGGED
    outer_src_port: int = 0
    outer_dst_port: int = 0
    ip_checksum: int = 0
    udp_checksum: int = 0
    inner_offset: int = 0
    inner_length: int = 0
    inner_original_length: int = 0
    inner_link_type: int = NO_LINK_TYPE
    inner_tags: int = 0
    inner_vlan: int = UNTAGGED
    inner_ethertype: int = 0
    inner_family: int = 0
    inner_protocol: int = 0
    inner_src_port: int = 0
    inner_dst_port: int = 0
    inner_tcp_flags: int = 0
    inner_ecn: int = NO_ECN
    outer_src: bytes = bytes(16)
    outer_dst: bytes = bytes(16)
    inner_src: bytes = bytes(16)
    inner_dst: bytes = bytes(16)


class Frames(NamedTuple):
    """A batch as the Python kernel holds it; the C kernel has a struct."""

    data: memoryview
    offsets: Sequence[int]
    lengths: Sequence[int]
    original_lengths: Sequence[int] | None


class Alterations(NamedTuple):
    """What a policy asks to be done to inner frames: columns of a decapsulated batch."""

    notes: memoryview
    link_types: memoryview
    ethertypes: memoryview
    ecn: memoryview


class Counted(NamedTuple):
    """Rows to be counted by a key, as the Python kernel holds them; the C kernel has a struct.

    The key is made of columns, each with the width of its items. Of the others any may be left out:
    lengths are uint32 and summed up, timestamps int64, flags uint16 and united. Only rows count whose `selected` is
    not 0, and whose `status` is OK.
    """

    rows: int
    key: Sequence[tuple[memoryview, int]]
    lengths: memoryview | None
    other_lengths: memoryview | None
    timestamps: memoryview | None
    flags: memoryview | None
    selected: memoryview | None
    status: memoryview | None
    number: int = 0  # of the first row


class Sighted(NamedTuple):
    """Rows of which it is asked whether they were seen before, as the Python kernel holds them.

    digests are uint64, 0 where nobody asks; marks uint32; timestamps int64; number is that of the first row.
    """

    digests: memoryview
    marks: memoryview
    timestamps: memoryview
    number: int
    window: int


class Underlay(NamedTuple):
    """What a bare payload cannot say of the datagram that carried it, if it is known."""

    version: int = 0  # of IP; 0 if the source is not known
    source: int = 0
    tos: int | None = None


class ECNMode(IntEnum):
    """How the inner ECN gets into the outer header."""

    NONE = 0
    RFC6040 = 1
    LINUX = 2


class DF(IntEnum):
    """The outer IPv4 header's don't-fragment flag."""

    UNSET = 0
    SET = 1
    INHERIT = 2


class FlowLabel(IntEnum):
    """Where the outer IPv6 header's flow label comes from."""

    FIXED = 0
    INHERIT = 1
    HASH = 2


class UDPChecksum(IntEnum):
    """The outer UDP checksum: none, computed, or computed from the inner one."""

    ZERO = 0
    FULL = 1
    INNER = 2


class InnerIP(IntEnum):
    """The inner packet whose fields an outer header takes over."""

    SOUND = 0  # one whose lengths hold, behind any tags
    LINUX = 1  # what EtherType says, if the fixed header is there, behind at most 7 tags; DF from an untagged one only
    OVS = 2  # as SOUND, behind at most one tag; its TTL may be 0, and is 0 where the lengths do not hold


class Known(IntEnum):
    """What of a row is known, so that columns of captures have a value there: a bitmap for each, in this order."""

    TIME = 0
    LINK = 1  # the link layer's header
    OUTER_TAG = 2
    OUTER_IP = 3
    OUTER_UDP = 4
    TUNNEL = 5  # the VXLAN header
    GROUP = 6  # with its G flag set
    INNER = 7
    ACCEPTED = 8
    INNER_LINK = 9
    INNER_MAC = 10
    INNER_ETHERNET = 11  # and the policy looked at it
    INNER_ETHERTYPE = 12
    INNER_TAG = 13
    INNER_IP = 14
    INNER_PORTS = 15
    INNER_TCP = 16


class Derived(IntEnum):
    """Columns of captures that are computed from another one."""

    OUTER_VLAN = 0  # uint16: 12 bits of the tag
    INNER_VLAN = 1
    GROUP_POLICY = 2  # uint16: half of the flags
    INNER_OFFSET = 3  # uint32: within the frame


class Address(IntEnum):
    """The columns of addresses, in the order in which they lie."""

    OUTER_SRC = 0
    OUTER_DST = 1
    INNER_SRC = 2
    INNER_DST = 3


class MAC(IntEnum):
    """The addresses of an Ethernet header, by their places in it."""

    DST = 0
    SRC = 6


class EncapMode(IntEnum):
    """Where encapsulated frames go: behind each other, into the batch's headroom, or headers alone."""

    COPY = 0
    IN_PLACE = 1
    HEADERS = 2


class EncapRecipe(NamedTuple):
    """A tunnel as a kernel takes it: `Tunnel` compiled.

    `template` is the whole outer header with zeros where something is patched in for each frame.
    """

    template: bytes
    ip_offset: int
    family: int
    low_port: int
    high_port: int
    ttl: int
    inherit_ttl: bool
    dscp: int
    inherit_dscp: bool
    ecn: ECNMode
    df: DF
    flow_label: int
    flow_label_mode: FlowLabel
    udp_checksum: UDPChecksum
    symmetric: bool
    gpe: bool
    raw: bool
    inner_ip: InnerIP


class SectionInterface(NamedTuple):
    """What the records of an interface are read by."""

    link_type: int
    snaplen: int
    fcslen: int
    units: int  # of timestamps in a second
    offset: int  # seconds to be added to them


class Section(NamedTuple):
    """What the records of a capture file are read by: a pcap file as a whole, or a section of a pcapng file."""

    pcapng: bool
    big_endian: bool
    interfaces: Sequence[SectionInterface]
    first: int = 0  # the number in the file of the first of these interfaces
    limit: int = 0  # of pcap: the most bytes that a record may claim to hold


class Stop(IntEnum):
    """Why no more records were read."""

    CUT = 0  # the bytes end before the next one does
    FULL = 1  # there is no room for more, or the next one is of another link type
    LOOK = 2  # what follows is no whole packet, or nothing that is read here: the caller is to look at it


class Stretch(NamedTuple):
    """Records that were read: how many, up to where in the buffer, and why no more."""

    rows: int
    position: int
    needed: int  # how many bytes the next one takes from there on
    stop: int
    link_type: int  # of all of them


NO_INTERFACE = 0xFFFFFFFF  # in a table of interfaces: it is not declared


class Packets(NamedTuple):
    """What may be put into a capture file: a column for each fact.

    What is None is Ethernet for link types, a timestamp for every one, no options, and VNIs that nobody asks for.
    Options are copied out of `source`, where the records lie; without it they are left to the caller.
    """

    data: memoryview
    offsets: Sequence[int]
    lengths: Sequence[int]
    original_lengths: Sequence[int]
    link_types: Sequence[int] | None
    vnis: Sequence[int] | None  # where each file takes packets of one alone
    timestamps: Sequence[int]  # in the units of the file, or of the interface in it
    interfaces: Sequence[int]
    timed: Sequence[int] | None
    options_lengths: Sequence[int] | None
    source: memoryview | None
    record_offsets: Sequence[int] | None
    captured_lengths: Sequence[int] | None


class Target(NamedTuple):
    """The capture file that they are put into, whose numbers are little-endian."""

    pcapng: bool
    units: int = 1_000_000_000  # of pcap: timestamp units in a second, a million or a milliard
    link_type: int = 1  # of pcap
    # Of pcapng: uint32, the number of each interface in the file, as one of Ethernet and as one of bare IP;
    # NO_INTERFACE where it is not declared. They may change between calls.
    ethernet: Sequence[int] = array("I")
    raw: Sequence[int] = array("I")


class Written(NamedTuple):
    """Records that were put: up to which of the chosen rows, in how many bytes, and why no more.

    `stop`: CUT at the end, FULL where there is no more room or the next row is of another VNI, LOOK where it is not
    written here.
    """

    position: int
    size: int
    stop: int


REGISTERS = 32  # of a filter's program
NO_GUARD = 0xFF  # a step that is asked of every row


class StepKind(IntEnum):
    """What a step of a filter's program asks of a row."""

    RANGE = 0  # whether low <= item & mask <= high, in a column of numbers
    ADDRESS = 1  # whether an address is of IP version `low` and has these bits
    ROW = 2  # whether 8 bytes of a row that begins with Ethernet, from `low` on, have these bits
    INNER = 3  # as ROW, of the inner frame
    PACKET = 4  # as ROW, of what is behind the inner Ethernet header and its tags, or of a bare inner packet
    REGISTER = 5  # what register `low` says


class Join(IntEnum):
    """What becomes of a step's answer: it takes the place of what is in a register, or is joined with it."""

    SET = 0
    AND = 1
    OR = 2


class Step(NamedTuple):
    """One step of a filter's program: an answer for each row, 0 or 1, which goes into a register.

    The rows that register 0 holds at the end match, if their status is OK. Where the register `guard` has 0 the
    answer is 0, and the row is not looked at.
    """

    kind: int
    column: str = ""  # of RANGE and ADDRESS
    low: int = 0
    high: int = 0
    mask: int = 0xFFFFFFFF
    value: bytes = b""  # 16 bytes of ADDRESS, 8 of those that ask for bytes, and so are the bits that count
    bits: bytes = b""
    negate: bool = False
    join: int = Join.SET
    target: int = 0
    guard: int = NO_GUARD


NO_VALUE = 0xFFFFFFFF  # of a map: there is no prefix of this key
STATIC = (1 << 63) - 1  # the stamp of a prefix that does not age


class Mapped(NamedTuple):
    """What a map says of one prefix."""

    value: int
    stamp: int


class Asked(NamedTuple):
    """Keys to be looked up: in each *stride* bytes *width* from *offset* on, and of families those of one alone."""

    rows: int
    keys: memoryview
    stride: int
    offset: int
    width: int
    families: memoryview | None = None
    family: int = 0


class AskedMACs(NamedTuple):
    """Addresses in frames to be looked up: of one VNI or one a row, of rows that are OK, not older than a stamp."""

    frames: Any  # as a kernel holds them
    vni: int
    vnis: memoryview | None
    status: memoryview | None
    oldest: int


class Senders(NamedTuple):
    """The number of the sender of each row, and of who is behind each number of a map; a stamp."""

    column: memoryview
    owners: memoryview
    now: int
