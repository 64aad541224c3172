"""The language of filters: from text to a tree of `predicates`. docs/filters.md has its grammar.

It is that of tcpdump (pcap-filter), with `inner` and `outer` in front of what is there twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from vxlanpkt.addresses import MACAddress
from vxlanpkt.errors import FieldError, FilterError
from vxlanpkt.predicates import (
    Addresses,
    And,
    Direction,
    EtherTypes,
    Flags,
    GroupPolicies,
    Lengths,
    MACs,
    Node,
    Not,
    Or,
    Ports,
    Protocols,
    Ranges,
    Side,
    TrafficClass,
    VLANs,
    VNIs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 100  # parentheses, and words `not`, inside each other
_LARGEST_LENGTH = (1 << 32) - 1
_TOKEN = re.compile(r"(?P<space>\s+)|(?P<token>[\w.:/\\-]+|&&|\|\||[=!<>]=|[][()!=<>,&|])", re.ASCII)
_VALUE = re.compile(r"\d.*|[\da-f]*:.*", re.IGNORECASE)  # what no word begins with: a number, or an address
_NUMBER = re.compile(r"0x[\da-f]{1,16}|0|[1-9]\d{,19}", re.ASCII | re.IGNORECASE)  # longer ones fit nowhere
_AND, _OR, _NOT = ("and", "&&"), ("or", "||"), ("not", "!")
_SIGNS = ("<", ">", "<=", ">=", "=", "==", "!=")

_ETHERTYPES: Mapping[str, int] = {"ip": 0x0800, "arp": 0x0806, "rarp": 0x8035, "ip6": 0x86DD}
_PROTOCOLS: Mapping[str, int] = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58, "pim": 103, "vrrp": 112,
    "sctp": 132,
}  # fmt: skip
_FLAGS: Mapping[str, int] = {
    "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64,
    "tcp-cwr": 128,
}  # fmt: skip
_ECN: Mapping[str, int] = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
# The types of value that may stand behind a protocol; `host` is meant where none is named.
_TYPES: Mapping[str | None, tuple[str, ...]] = {
    None: ("host", "net", "port", "portrange"),
    "ip": ("host", "net"), "ip6": ("host", "net"), "arp": ("host", "net"),
    "tcp": ("port", "portrange"), "udp": ("port", "portrange"),
    "ether": ("host",),
}  # fmt: skip
_OF_NO_SIDE = ("vni", "gbp")
_OF_INNER = ("arp", "rarp", "tcp", "icmp", "icmp6", "proto", "less", "greater", "len", "ecn", "dscp")
_FIRST_WORDS = "vni, host, net, port, ip, tcp, udp, ether, vlan, not, ..."
_OUTER_WORDS = "host, net, port, portrange, src, dst, ip, ip6, udp, vlan, ether, broadcast, multicast"

# Fields of Wireshark's display filters, and the words for them here.
_DISPLAY_FIELDS: Mapping[str, str] = {
    "vxlan.vni": "vni N", "vxlan.gbp": "gbp N", "vxlan": "vni N",
    "ip.src": "src host A", "ip.dst": "dst host A", "ip.addr": "host A", "ip.host": "host A",
    "ipv6.src": "src host A", "ipv6.dst": "dst host A", "ipv6.addr": "host A", "ipv6": "ip6", "icmpv6": "icmp6",
    "ip.proto": "ip proto N", "ipv6.nxt": "ip6 proto N", "ip.version": "ip or ip6",
    "tcp.port": "tcp port N", "tcp.srcport": "tcp src port N", "tcp.dstport": "tcp dst port N",
    "udp.port": "udp port N", "udp.srcport": "udp src port N", "udp.dstport": "udp dst port N",
    "eth": "ether host M", "eth.addr": "ether host M", "eth.src": "ether src M", "eth.dst": "ether dst M",
    "eth.type": "ether proto N", "vlan.id": "vlan N", "frame.len": "len OP N",
    "arp.src.proto_ipv4": "arp src host A", "arp.dst.proto_ipv4": "arp dst host A",
    "ip.dsfield.ecn": "ecn N", "ip.dsfield.dscp": "dscp N", "ipv6.tclass.ecn": "ecn N", "ipv6.tclass.dscp": "dscp N",
}  # fmt: skip


class _Token(NamedTuple):
    """A word, a value or a sign, and where it begins."""

    text: str
    at: int

    @property
    def is_value(self) -> bool:
        return _VALUE.fullmatch(self.text) is not None

    @property
    def name(self) -> str:
        r"""A name of a protocol where it is a value: tcpdump asks for a \ in front of it."""
        return self.text.removeprefix("\\")


def parse_expression(text: str) -> Node:
    """The tree of an expression; raises `FilterError`."""
    return _Parser(text).whole()


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            hint = "names are not looked up, and there are no zones" if text[at] == "%" else ""
            raise _error(text, _Token(text[at], at), "a word, a value, a sign or a parenthesis", hint)
        if match["token"]:
            found.append(_Token(match["token"], at))
        at = match.end()
    return [*found, _Token("", len(text))]


def _error(text: str, token: _Token, expected: str, hint: str = "") -> FilterError:
    found = repr(token.text) if token.text else "the end"
    shown = "".join(character if character.isprintable() else " " for character in text)  # a terminal obeys others
    mark = " " * token.at + "^" * max(len(token.text), 1)
    return FilterError(
        f"Filter: {found} is not {expected}{hint and ': '}{hint}\n  {shown}\n  {mark}",
        layer="Filter", field="text", value=text, bits=None, position=token.at, found=token.text, expected=expected,
    )  # fmt: skip


class _Parser:
    """One pass over the tokens, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._side: Side = "inner"
        # What a value alone means: what the one before it meant (tcpdump's "port 80 or 443").
        self._again: Callable[[], Node] = self._addresses("inner", None, "src or dst", None)

    # -- tokens

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += bool(token.text)
        return token

    def _accept(self, *words: str) -> str | None:
        """Take the next token, if it is one of these."""
        return self._take().text if self._token.text in words else None

    def _fail(self, expected: str, hint: str = "", token: _Token | None = None) -> NoReturn:
        raise _error(self._text, token or self._token, expected, hint)

    # -- expressions

    def whole(self) -> Node:
        """All of the text."""
        found = self._chain(self._term)
        if self._token.text:
            self._fail("'and', 'or' or the end", self._hint_behind())
        return found

    def _hint_behind(self) -> str:
        """What is meant by what stands behind a whole term."""
        if self._token.text in _SIGNS:
            return "only 'len' is compared by a sign; other values stand behind their word"
        if self._token.text == "[":
            return "bytes of headers cannot be asked for, but for tcp[tcpflags]"
        return "put 'and' in front of it" if self._token.text in self._words() else ""

    def _chain(self, term: Callable[[], Node]) -> Node:
        """Terms joined by `and` and `or`, as all agree to read them: no `and` behind an `or`."""
        chain = [[term()]]
        while True:
            token = self._token
            if self._accept(*_AND):
                if len(chain) > 1:
                    self._fail("clear behind 'or'", "tcpdump joins from left to right, Wireshark 'and' first: "
                               "put parentheses around what belongs together", token)  # fmt: skip
                chain[-1].append(term())
            elif self._accept(*_OR):
                chain.append([term()])
            else:
                groups = tuple(And(tuple(group)) if len(group) > 1 else group[0] for group in chain)
                return Or(groups) if len(groups) > 1 else groups[0]

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(f"within {_DEEPEST} parentheses and words 'not'")
        yield
        self._depth -= 1

    def _parenthesis(self, term: Callable[[], Node]) -> Node:
        """What stands behind "(", up to the ")"."""
        with self._deeper():
            found = self._chain(term)
            if not self._accept(")"):
                self._fail("'and', 'or' or ')'", self._hint_behind())
        return found

    def _term(self) -> Node:
        if self._accept(*_NOT):
            with self._deeper():
                return Not(self._term())
        named = self._accept("inner", "outer")
        before = self._side
        self._side = "outer" if named == "outer" else "inner" if named else before
        if self._accept("("):
            # What is inside means the same wherever the parenthesis stands, and nothing behind it hangs on that.
            outside = self._again
            self._again = self._addresses(self._side, None, "src or dst", None)
            found = self._parenthesis(self._term)
            self._again = outside
        else:
            found = self._primitive(named)
        self._side = before
        return found

    # -- primitives

    def _primitive(self, named: str | None) -> Node:
        token = self._token
        if token.is_value:
            return self._qualified(None) if named else self._again()
        make = self._words().get(token.text)
        if make is None:
            behind = f" behind {named!r}" if named else ""
            self._fail(f"what a term begins with{behind} ({_FIRST_WORDS})", _word_hint(token.text, self))
        if named and token.text in _OF_NO_SIDE:
            self._fail(f"what has an {named} side", "there is one of it in a frame")
        if self._side == "outer" and token.text in _OF_INNER:
            self._fail("what the outer headers have", f"behind 'outer' stands one of {_OUTER_WORDS}")
        return make()

    def _words(self) -> Mapping[str, Callable[[], Node]]:
        """What a term may begin with."""
        return {
            **dict.fromkeys(("src", "dst", "host", "net", "port", "portrange"), lambda: self._qualified(None)),
            **dict.fromkeys(("ip", "ip6", "arp", "tcp", "udp"), self._protocol_word),
            **dict.fromkeys(("rarp", "icmp", "icmp6"), self._protocol_word),
            **dict.fromkeys(("broadcast", "multicast"), self._group),
            "proto": lambda: self._protocol_number(None),
            "ether": self._ether,
            "vni": self._vni,
            "gbp": self._gbp,
            "vlan": self._vlan,
            "len": self._len,
            "less": lambda: self._length("less"),
            "greater": lambda: self._length("greater"),
            "ecn": self._ecn,
            "dscp": self._dscp,
        }

    def _values(self, make: Callable[[], Node]) -> Node:
        """A value, or several in parentheses; one that follows alone will mean the same."""
        self._again = make
        if self._accept("("):
            return self._parenthesis(lambda: self._values(make))
        return make()

    def _number(self, what: str, low: int, high: int, names: Mapping[str, int] | None = None) -> int:
        token = self._token
        number = (names or {}).get(token.name)
        if number is None:
            number = int(token.text, 0) if _NUMBER.fullmatch(token.text) else -1
        if not low <= number <= high:
            limits = f"{low:#x} to {high:#x}" if what == "an EtherType" else f"{low} to {high}"
            self._fail(f"{what}, {limits}", _number_hint(token.text))
        self._take()
        return number

    def _ranges(self, what: str, highest: int) -> Ranges:
        """Numbers and ranges of them, with commas in between."""
        found = [self._range(what, highest)]
        while self._accept(","):
            found.append(self._range(what, highest))
        return tuple(found)

    def _range(self, what: str, highest: int) -> tuple[int, int]:
        token = self._token
        ends = token.text.split("-")
        if len(ends) != 2:
            number = self._number(what, 0, highest)
            return number, number
        if not all(map(_NUMBER.fullmatch, ends)):
            self._fail(f"a range of numbers, 0 to {highest}")
        low, high = (int(end, 0) for end in ends)
        if not low <= high <= highest:
            self._fail(f"a range from a smaller to a larger number, 0 to {highest}")
        self._take()
        return low, high

    # -- the tunnel

    def _vni(self) -> Node:
        self._take()
        return self._values(lambda: VNIs(self._ranges("a VNI", (1 << 24) - 1)))

    def _gbp(self) -> Node:
        self._take()
        if not self._has_values():
            return GroupPolicies(None)
        return self._values(lambda: GroupPolicies(self._ranges("a group policy ID", 65535)))

    def _has_values(self) -> bool:
        return self._token.is_value or self._token.text == "("

    # -- the link layer

    def _vlan(self) -> Node:
        self._take()
        side = self._side
        if not self._has_values():
            return VLANs(side, None)
        return self._values(lambda: VLANs(side, self._ranges("a VLAN ID", 4095)))

    def _ether(self) -> Node:
        self._take()
        if self._token.text in ("broadcast", "multicast"):
            return self._group()
        if self._accept("proto"):
            if self._side == "outer":
                proto = self._tokens[self._next - 1]
                self._fail("what the outer headers have", "it is 'outer ip' or 'outer ip6'", proto)
            return self._values(lambda: EtherTypes("inner", self._number("an EtherType", 0x0600, 0xFFFF, _ETHERTYPES)))
        return self._qualified("ether")

    def _group(self) -> Node:
        if self._take().text == "broadcast":
            return MACs(self._side, "dst", (1 << 48) - 1, (1 << 48) - 1)
        return MACs(self._side, "dst", 1 << 40, 1 << 40)

    # -- IP and what it carries

    def _protocol_word(self) -> Node:
        """A protocol: by itself, or in front of what is asked of it."""
        word = self._take().text
        if word == "tcp" and self._accept("["):
            return self._flags()
        if word in ("ip", "ip6") and self._token.text == "proto":
            if self._side == "outer":
                self._fail("what the outer headers have", "they are those of UDP")
            return self._protocol_number(4 if word == "ip" else 6)
        if word in _TYPES and self._begins_value(_TYPES[word]):
            return self._qualified(word)
        if word in _ETHERTYPES:
            return EtherTypes(self._side, _ETHERTYPES[word])
        versions: Mapping[str, Literal[4, 6]] = {"icmp": 4, "icmp6": 6}
        return Protocols(self._side, versions.get(word), _PROTOCOLS[word])

    def _begins_value(self, types: tuple[str, ...]) -> bool:
        return self._token.text in (*types, "src", "dst") or self._token.is_value

    def _protocol_number(self, version: Literal[4, 6] | None) -> Node:
        self._take()
        return self._values(lambda: Protocols("inner", version, self._number("a protocol", 0, 255, _PROTOCOLS)))

    def _qualified(self, protocol: str | None) -> Node:
        """A direction and a type, which may both be left out, and the values they are about."""
        direction = self._direction()
        types = _TYPES[protocol]
        kind = self._accept(*types)
        if kind is None and not (self._has_values() and "host" in types):
            said = f" behind {protocol!r}" if protocol else ""
            address = "" if "host" not in types else " or a MAC address" if protocol == "ether" else " or an IP address"
            self._fail(f"{', '.join(map(repr, types))}{address}{said}", _qualifier_hint(protocol, self._token.text))
        side = self._side
        if kind in ("port", "portrange"):
            number = None if protocol is None else _PROTOCOLS[protocol]
            return self._values(lambda: Ports(side, direction, number, *self._ports(kind)))
        if protocol == "ether":
            return self._values(lambda: MACs(side, direction, self._mac(), (1 << 48) - 1))
        return self._values(self._addresses(side, protocol, direction, kind))

    def _direction(self) -> Direction:
        """`src`, `dst`, both, or one of them; the last where nothing is said."""
        first = self._accept("src", "dst")
        if first is None:
            return "src or dst"
        sign, second = self._token.text, self._tokens[min(self._next + 1, len(self._tokens) - 1)].text
        if {first, second} == {"src", "dst"} and sign in (*_AND, *_OR):
            self._next += 2
            return "src and dst" if sign in _AND else "src or dst"
        return "src" if first == "src" else "dst"

    def _ports(self, kind: str | None) -> tuple[int, int]:
        token = self._token
        if kind == "portrange":
            if "-" not in token.text:
                self._fail("a range of ports, N-M")
            return self._range("a port", 65535)
        port = self._number("a port", 0, 65535)
        return port, port

    def _mac(self) -> int:
        try:
            mac = MACAddress(self._token.text)
        except FieldError:
            self._fail("a MAC address")
        self._take()
        return int(mac)

    def _addresses(
        self, side: Side, protocol: Any, direction: Direction, kind: str | None
    ) -> Callable[[], Node]:  # fmt: skip
        return lambda: Addresses(side, direction, protocol, self._network(protocol, kind))

    def _network(self, protocol: str | None, kind: str | None) -> IPv4Network | IPv6Network:
        """An address, or a prefix: which of them the word asks for."""
        token = self._token
        version = {"ip": "IPv4 ", "arp": "IPv4 ", "ip6": "IPv6 "}.get(protocol or "", "")
        wanted = f"an {version or 'IP '}{'prefix' if kind == 'net' else 'address'}"
        if (kind == "host" and "/" in token.text) or (kind == "net" and "/" not in token.text):
            self._fail(wanted, "a prefix is asked for by 'net P/LENGTH', an address by 'host'")
        try:
            network = ip_network(token.text)
        except ValueError as error:
            self._fail(wanted, _address_hint(token.text, str(error)))
        if version and version != f"IPv{network.version} ":
            self._fail(wanted)
        self._take()
        return network

    # -- flags

    def _flags(self) -> Node:
        """What stands behind "tcp[": tcpdump's way to ask for them."""
        if not self._accept("tcpflags", "13"):
            self._fail("'tcpflags'", "no other bytes of headers can be asked for")
        if not self._accept("]"):
            self._fail("']'")
        mask = self._flag_names() if self._accept("&") else 0xFF
        sign = self._accept("=", "==", "!=")
        if sign is None:
            self._fail("one of = == !=, or & and the flags to look at")
        found = Flags(mask, self._flag_names())
        # What has no flags has none of them set, and none clear.
        return And((Flags(0, 0), Not(found))) if sign == "!=" else found

    def _flag_names(self) -> int:
        """Flags joined by "|", in parentheses or one alone."""
        if not self._accept("("):
            return self._number("flags", 0, 0xFF, _FLAGS)
        flags = self._number("flags", 0, 0xFF, _FLAGS)
        while self._accept("|"):
            flags |= self._number("flags", 0, 0xFF, _FLAGS)
        if not self._accept(")"):
            self._fail("'|' or ')'")
        return flags

    # -- lengths and classes

    def _length(self, word: str) -> Node:
        self._take()
        return self._values(lambda: self._compared("<=" if word == "less" else ">="))

    def _len(self) -> Node:
        self._take()
        sign = self._accept(*_SIGNS)
        if sign is None:
            self._fail(f"one of {' '.join(_SIGNS)}")
        return self._compared(sign)

    def _compared(self, sign: str) -> Node:
        number = self._number("a length", 0, _LARGEST_LENGTH)
        if sign == "!=":
            return Not(Lengths(number, number))
        low = {"<": 0, "<=": 0, ">": number + 1}.get(sign, number)
        high = {">": _LARGEST_LENGTH, ">=": _LARGEST_LENGTH, "<": number - 1}.get(sign, number)
        return Lengths(low, high)

    def _ecn(self) -> Node:
        self._take()
        return self._values(lambda: TrafficClass(self._number("not-ect, ect0, ect1, ce or a number", 0, 3, _ECN), 3))

    def _dscp(self) -> Node:
        self._take()
        return self._values(lambda: TrafficClass(self._number("a DSCP", 0, 63) << 2, 0xFC))


def _number_hint(text: str) -> str:
    if re.fullmatch(r"0\d+", text):
        return "a 0 in front means octal to tcpdump, and nothing here"
    if re.fullmatch(r"\d+-\d+", text):
        return "a range is asked for by 'portrange' or 'vni'"
    return "names are not looked up" if _is_name(text) else ""


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[a-z][\w.-]*", text, re.IGNORECASE) is not None and ":" not in text


def _address_hint(text: str, complaint: str) -> str:
    if "host bits" in complaint:
        return f"write {ip_network(text, strict=False)}"
    try:
        MACAddress(text)
    except FieldError:
        return "names are not looked up" if _is_name(text) else ""
    return "a MAC address is asked for by 'ether host'"


def _qualifier_hint(protocol: str | None, word: str) -> str:
    if protocol in ("tcp", "udp") and (word == "host" or word == "net" or _VALUE.fullmatch(word)):
        return f"write '{protocol} and host A'"
    return ""


def _word_hint(word: str, parser: _Parser) -> str:
    """What else to write where a term begins with a word that is none."""
    if word in _DISPLAY_FIELDS:
        return f"a field of Wireshark's display filters; the word for it here: {_DISPLAY_FIELDS[word]}"
    if "." in word:
        return "it looks like a field of Wireshark's display filters, which are another language"
    close = get_close_matches(word.lower(), [*parser._words(), "inner", "outer", "not"], 1)
    return f"did you mean {close[0]!r}?" if close else ""
