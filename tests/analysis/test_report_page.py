"""The page of a report: sound HTML, nothing from outside, nothing of the capture's text taken for markup."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vxlanpkt
from vxlanpkt import ICMP, TCP, Ethernet, IPv4, Packet, Report, Tunnel, report
from vxlanpkt.analysis import timelines
from vxlanpkt.analysis.reporting.pieces import Cell, Piece, Row, join, table, tag, text
from vxlanpkt.analysis.reporting.wording import duration, moment, share, size, span
from vxlanpkt.capture import Interface, PcapngWriter, PcapWriter, Record

from .by_hand import CAPTURES, DATA, policy_of

SECTIONS = ["glance", "vnis", "endpoints", "flows", "drops", "sizes", "duplicates", "retransmissions", "congestion",
            "one-way"]  # fmt: skip
VOID = {"meta", "input", "br"}
HOSTILE = "<script>alert(1)</script>\"'&</style><img src=http://evil.example/x onerror=alert(1)>"
TUNNEL = Tunnel(7, "192.0.2.1", "192.0.2.2")


class Checker(HTMLParser):
    """Notes the elements, and fails where a tag does not close the one that is open."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), f"an attribute of {tag} twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)


def check(page: str) -> Checker:
    """What holds of every page: it is sound, whole, and asks for nothing."""
    found = Checker(page)
    names = [name for name, _ in found.elements]
    assert page.startswith("<!DOCTYPE html>") and names[:2] == ["html", "head"]
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) and [one for one in ids if one in SECTIONS] == SECTIONS
    for name, attributes in found.elements:
        assert not {"src", "srcset", "style", "data", "action", "background", "poster"} & set(attributes)
        assert not [key for key in attributes if key.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
        assert name not in (
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "video",
            "audio",
            "image",
            "use",
        )
    assert names.count("script") == names.count("style") == 1
    style = "".join(re.findall("<style>(.*?)</style>", page, re.DOTALL))
    assert "url(" not in style and "@import" not in style and "expression" not in style
    return found


def written(records: list[Record], *, name: bytes = b"") -> io.BytesIO:
    out = io.BytesIO()
    writer = PcapngWriter(out)
    options = ((2, name), (3, name)) if name else ()
    writer.add_interface(Interface(options=options))
    for record in records:
        writer.write(record)
    out.seek(0)
    return out


def page_of(wires: list[bytes], **how: Any) -> str:
    return report(written([Record(at * 10**6, wire, len(wire)) for at, wire in enumerate(wires)]), **how).to_html()


def frame(size: int = 0) -> bytes:
    return Packet(Ethernet(2, 1), IPv4("10.0.0.1", "10.0.0.2"), TCP(1, 2), payload=bytes(size)).build()


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture(name: str) -> None:
    """Sound, and with each section."""
    made = report(DATA / name, policy=policy_of(name))
    found = check(made.to_html())
    said = "".join(found.words)
    assert f"{made.findings.overview.records:,}" in said and str(DATA / name) in said
    assert ("This file is broken" in said) == (made.error is not None)
    for vni in made.findings.vnis.rows:
        assert ("tr", {"data-vni": str(vni.vni)}) in found.elements


def test_what_the_page_may_load() -> None:
    """Nothing but its own style and script, told by their hashes."""
    page = page_of([TUNNEL.encap(frame())])
    policies = [attributes["content"] or "" for name, attributes in check(page).elements
                if attributes.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'" and rules["base-uri"] == "'none'" and "unsafe" not in policies[0]
    for element in ("style", "script"):
        inside = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        hashed = b64encode(sha256(inside[0].encode()).digest()).decode()
        assert rules[f"{element}-src"] == f"'sha256-{hashed}'" and len(inside) == 1
    # It comes before anything that it is about.
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_nothing_of_the_web_is_named() -> None:
    """Not even in text, as nothing here needs it."""
    page = page_of([TUNNEL.encap(frame())])
    assert (
        "http:" not in page
        and "https:" not in page
        and "//" not in re.sub("<script>.*?</script>", "", page, flags=re.S)
    )


def test_hostile_names(tmp_path: Path) -> None:
    """Names of interfaces and files are text."""
    wire = TUNNEL.encap(frame())
    path = tmp_path / "<b onclick=x>'&\".pcapng"
    path.write_bytes(written([Record(0, wire, len(wire))], name=HOSTILE.encode()).getvalue())
    page = report(path).to_html()
    found = check(page)
    assert "<script>alert" not in page and "<img" not in page and "<b onclick" not in page
    said = "".join(found.words)
    assert HOSTILE in said and str(path) in said


def test_names_of_any_bytes() -> None:
    """Control characters are none in HTML."""
    wire = TUNNEL.encap(frame())
    page = report(written([Record(0, wire, len(wire))], name=b"a\x00b\x1b[31m\xff\x07c")).to_html()
    check(page)
    assert not set(page) & {chr(code) for code in range(32) if code not in (9, 10, 13)}


@given(content=st.text(), value=st.text())
def test_pieces_escape(content: str, value: str) -> None:
    """Whatever the text, it comes out as it was put in, and opens no element."""
    found = Checker(tag("p", content, title=value))
    assert [name for name, _ in found.elements] == ["p"]
    clean = "".join(map(str, text(content)))
    assert "<" not in clean and '"' not in clean
    Checker(table(["a"], [Row([content]), Row([Cell(content, title=value)])], caption=value))


def test_pieces() -> None:
    assert join("a<", Piece("<br>")) == "a&lt;<br>"
    assert tag("td", "x", class_="n", data_v=3, title=None) == '<td class="n" data-v="3">x</td>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert text("a\x00b") == "a\ufffdb"


def test_an_empty_capture() -> None:
    """Each section says in a line that it has nothing."""
    found = check(page_of([]))
    said = "".join(found.words)
    assert "no record has a timestamp" in said and said.count("No record is VXLAN") == 3
    assert "Every record is VXLAN that the policy accepts." in said
    assert not [name for name, _ in found.elements if name == "table"]


def test_nothing_is_vxlan() -> None:
    """There are records, of which nothing can be said but why."""
    check(page_of([bytes(60), frame()]))


def test_no_timestamps() -> None:
    """Simple packet blocks: tables without a picture, and nothing about repetitions."""
    wire = TUNNEL.encap(frame())
    made = report(written([Record(None, wire, len(wire))] * 2))
    assert made.findings.timeline is None and made.findings.duplicates.count == 0
    said = "".join(check(made.to_html()).words)
    assert "No record has a timestamp" in said and "no record has a timestamp" in said
    mixed = report(written([Record(None, wire, len(wire)), Record(5, wire, len(wire))]))
    assert "1 record without a timestamp" in "".join(check(mixed.to_html()).words)


def test_times_far_apart() -> None:
    """A century in one capture: the intervals are as wide as that takes."""
    wire = TUNNEL.encap(frame())
    records = [Record(time, wire, len(wire)) for time in (0, 1 << 62)]
    out = io.BytesIO()
    writer = PcapngWriter(out)
    writer.add_interface(Interface(tsresol=9))
    for record in records:
        writer.write(record)
    out.seek(0)
    made = report(out)
    assert made.findings.timeline is not None and sum(made.findings.timeline.series[0].packets) == 2
    check(made.to_html())


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (1_600_000_000, ["+0.3 s", "+0.6 s", "+0.9 s", "+1.2 s", "+1.5 s"]),
        (100_000_000, ["+17 ms", "+34 ms", "+51 ms", "+68 ms", "+85 ms"]),
        (2_450_000_000, ["+0.45 s", "+0.90 s", "+1.35 s", "+1.80 s", "+2.25 s"]),
        (300 * 10**9, ["+55 s", "+110 s", "+165 s", "+220 s", "+275 s"]),
        (3 * 3600 * 10**9, ["+35 min", "+70 min", "+105 min", "+140 min", "+175 min"]),
        (20 * 86400 * 10**9, ["+84 h", "+168 h", "+252 h", "+336 h", "+420 h"]),
        (100_000, ["+17 µs", "+34 µs", "+51 µs", "+68 µs", "+85 µs"]),
    ],
)
def test_times_of_an_axis(last: int, told: list[str]) -> None:
    """All in one unit, with as many digits."""
    wire = TUNNEL.encap(frame())
    page = report(written([Record(time, wire, len(wire)) for time in (0, last)])).to_html()
    assert re.findall(r">(\+[^<]* [a-zµ]+)</text>", page) == told


def test_what_to_do_about_fragments() -> None:
    """A parameter is named where it would help: for whole IPv6 packets."""
    with vxlanpkt.open(DATA / "outer_frag_v4.pcap") as capture:
        cut = next(record.frame for number, record in enumerate(capture, 1) if number == 13)
    with vxlanpkt.open(DATA / "odd.pcapng") as capture:
        whole = next(record.frame for number, record in enumerate(capture, 1) if number == 28)
    of_ipv4, of_both = (" ".join(check(page_of(frames)).words) for frames in ([cut], [cut, whole]))
    for words in (of_ipv4, of_both):
        assert "the receiver's IP puts fragments together before VXLAN" in words
    assert "atomic" not in of_ipv4
    assert "policy: fragments='atomic' for whole packets with an IPv6 fragment header" in of_both


def too_big(mtu: int, quoted: bytes = b"") -> bytes:
    """ICMP type 3 code 4 from a router."""
    message = ICMP(3, 4, body=b"\0\0" + mtu.to_bytes(2, "big") + quoted)
    return Packet(Ethernet(2, 1), IPv4("192.0.2.9", "192.0.2.1"), message).build()


def test_messages_of_too_big_packets() -> None:
    """On the underlay and inside, apart: the MTUs that they report, or that none is said, and of which packet."""
    sent = TUNNEL.encap(frame(1400))
    words = check(page_of([sent, too_big(1400, sent[14:42]), too_big(0), TUNNEL.encap(too_big(1280))])).words
    said = " ".join(words)
    outside, inside = said.split("Packet too big, on the underlay")[1].split("Packet too big, inside the tunnels")
    assert "2 messages; the smallest MTU that one reports is 1,400" in outside
    assert " ".join(outside.split("Packet to ")[1].split()).startswith(
        "2 192.0.2.9 192.0.2.1 1,400 192.0.2.1 192.0.2.2 3 192.0.2.9 192.0.2.1 not said"
    )
    assert "1 message; the smallest MTU that one reports is 1,280" in inside
    assert " ".join(inside.split("Packet to ")[1].split()).startswith("4 7 192.0.2.9 192.0.2.1 1,280")


def test_one_vni() -> None:
    """No small pictures beside the large one."""
    page = page_of([TUNNEL.encap(frame())] * 3)
    found = check(page)
    assert 'class="smalls"' not in page and "1 VNI;" in "".join(found.words)


def test_500_vnis() -> None:
    """The largest eight by themselves, the rest together, and all of them in the table."""
    wires = [TUNNEL.replace(vni=vni).encap(frame(vni)) for vni in range(1, 501)]
    page = page_of(wires)
    found = check(page)
    said = "".join(found.words)
    assert "492 other VNIs together" in said and said.count("up to ") >= 8
    shown = {attributes["data-vni"] for name, attributes in found.elements if name == "tr" and "data-vni" in attributes}
    assert shown >= {str(vni) for vni in range(1, 501)}


def test_more_vnis_than_are_listed() -> None:
    """Beyond a thousand the table says how many, and how much that is."""
    wires = [TUNNEL.replace(vni=vni).encap(frame()) for vni in range(1100)]
    assert "100 smaller VNIs with" in "".join(check(page_of(wires)).words)


def test_folded_vnis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for a cell for each, the page says that what it draws is not exact."""
    monkeypatch.setattr(timelines, "_CELLS", 64)
    monkeypatch.setattr(timelines, "_KEPT", 16)
    wires = [TUNNEL.replace(vni=at % 100).encap(frame(at % 100)) for at in range(5000)]
    made = report(written([Record(at * 10**6, wire, len(wire)) for at, wire in enumerate(wires)]))
    timeline = made.findings.timeline
    assert timeline is not None and not timeline.exact
    assert sum(sum(series.packets) for series in timeline.series) == 5000
    assert "so many VNIs that" in "".join(check(made.to_html()).words)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that are full: what was met first is counted exactly, the rest is told in one number."""
    for name in ("FLOW_LIMIT", "PAIR_LIMIT", "VNI_LIMIT"):
        monkeypatch.setattr(f"vxlanpkt.analysis.collecting.{name}", 3)
    wires = [TUNNEL.replace(vni=at % 10).encap(frame(at)) for at in range(40)]
    made = report(written([Record(at * 10**6, wire, len(wire)) for at, wire in enumerate(wires)]))
    found = made.findings
    assert (found.vnis.left_out, found.endpoints.left_out, found.flows.left_out) == (28, 28, 28)
    assert {row.vni: row.packets for row in found.vnis.rows} == {0: 4, 1: 4, 2: 4}
    said = "".join(check(made.to_html()).words)
    assert said.count("The table was full: 28 packets") == 3 and "3 or more" in said


def test_ipv6_underlay_apart() -> None:
    """Two matrices, each with the endpoints of its own version."""
    six = Tunnel(7, "2001:db8::1", "2001:db8::2", udp_checksum="zero")
    page = page_of([TUNNEL.encap(frame()), six.encap(frame())])
    said = "".join(check(page).words)
    assert "Over IPv4" in said and "Over IPv6" in said and page.count('class="scroll matrix"') == 2


def test_200_endpoints() -> None:
    """The matrix has the largest sixteen, and all others in one row and column."""
    wires = [TUNNEL.replace(src=f"192.0.2.{at}", dst=f"198.51.100.{at}").encap(frame(at)) for at in range(1, 101)]
    page = page_of(wires)
    matrix = page[page.index('class="scroll matrix"') :]
    matrix = matrix[: matrix.index("</table>")]
    assert matrix.count("<tr") == 1 + 8 + 1 and "184 others" in matrix


def test_write(tmp_path: Path) -> None:
    """The page appears when it is complete; what was there stays if it does not become so."""
    made = report(DATA / "flannel_v4.pcap")
    target = tmp_path / "page.html"
    made.write(target)
    assert target.read_text(encoding="utf-8") == made.to_html()
    assert list(tmp_path.iterdir()) == [target]
    made.write(str(target))
    into = io.BytesIO()
    made.write(into)
    assert into.getvalue() == target.read_bytes()
    with pytest.raises(FileNotFoundError):
        made.write(tmp_path / "missing" / "page.html")
    (tmp_path / "a directory").mkdir()
    with pytest.raises(IsADirectoryError):
        made.write(tmp_path / "a directory")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a directory", "page.html"]


def test_in_a_notebook() -> None:
    made = report(DATA / "flannel_v4.pcap")
    assert isinstance(made, Report) and repr(made) == "<Report of 91 records, 78 VXLAN>"
    assert "91 records" in made._repr_html_()


def test_html_of_captures_and_counts(tmp_path: Path) -> None:
    """Short tables without a style; names are escaped, and nothing is counted for it."""
    path = tmp_path / "<i>.pcap"
    path.write_bytes((DATA / "flannel_v4.pcap").read_bytes())
    with vxlanpkt.open(path) as capture:
        before = capture._repr_html_()
        assert "not counted yet" in before and "&lt;i&gt;" in before
        assert len(list(capture.decap())) == 78
        after = capture._repr_html_()
        assert "VNI 1" in after and "pcap" in after and "91" in after
        counts = capture.stats._repr_html_()
    for html in (before, after, counts):
        assert not {"style", "script", "class"} & {name for name, _ in Checker(html).elements} and "style=" not in html
    with vxlanpkt.open(io.BytesIO(path.read_bytes())) as capture:
        assert "a stream" in capture._repr_html_()


def test_html_of_many_vnis_and_faults() -> None:
    wires = [TUNNEL.replace(vni=vni).encap(frame()) for vni in range(30)]
    with vxlanpkt.open(written([Record(0, wire, len(wire)) for wire in wires])) as capture:
        list(capture.decap_batches())
        assert "and 10 more" in capture.stats._repr_html_()
    with vxlanpkt.open(DATA / "basic_v4_4789.cut_mid_record.pcap") as capture:
        with pytest.raises(vxlanpkt.CaptureError):
            list(capture.decap_batches())
        assert "fault" in capture._repr_html_() and "NOT_VXLAN" in capture._repr_html_()


def test_html_of_packets() -> None:
    """Layers in rows, what is in a tunnel in a table inside; faults and payloads too."""
    packet = vxlanpkt.parse(TUNNEL.encap(frame(3)))
    html = packet._repr_html_()
    found = Checker(html)
    assert [name for name, _ in found.elements].count("table") == 2
    said = "".join(found.words)
    assert "vni 7" in said and "192.0.2.1" in said and "3 bytes" in said and "style" not in html
    broken = vxlanpkt.dissect(TUNNEL.encap(frame())[:-30])._repr_html_()
    assert "fault" in "".join(Checker(broken).words)
    assert Checker(Packet(payload=b"")._repr_html_()).words == ["payload", "0 bytes"]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (size(0), "0 B"), (size(999), "999 B"), (size(1000), "1.0 kB"), (size(999_950), "1.0 MB"),
        (size(10**20), "100.0 EB"), (share(0, 5), "0 %"), (share(5, 5), "100.0 %"), (share(1, 10**6), "< 0.1 %"),
        (share(10**6 - 1, 10**6), "> 99.9 %"), (duration(None), ""), (duration(0), "0 s"), (duration(1500), "1.5 µs"),
        (duration(90061 * 10**9), "1 d 1 h 1 min 1 s"), (span(10_000_000), "10 ms"), (span(10**11), "100 s"),
        (moment(None), "no time"), (moment(0, 3), "1970-01-01 00:00:00.000 UTC"),
        (moment(10**30, 0), "1" + "0" * 21 + " s"),
    ],
)  # fmt: skip
def test_wording(made: str, wanted: str) -> None:
    assert made == wanted


def test_pcap_of_another_link_type() -> None:
    """Records of which nothing is understood are named."""
    out = io.BytesIO()
    writer = PcapWriter(out, Interface(link_type=147))
    writer.write(Record(0, bytes(20), 20, link_type=147))
    out.seek(0)
    assert "1 record of link type 147" in "".join(check(report(out).to_html()).words)


def test_limits_of_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of endpoints behind a finding say what they had no room for; the counts themselves are exact."""
    for name in ("headers_seen._PAIRS", "headers_seen._LENGTHS", "repetitions._PAIRS"):
        monkeypatch.setattr(f"vxlanpkt.analysis.{name}", 1)
    wires = []
    for at in range(3):
        wire = TUNNEL.replace(dst=f"192.0.2.{at + 2}").encap(frame(at), identification=at + 1)
        ce, cut = (vxlanpkt.parse(wire).replace(IPv4, **of).recompute().build() for of in ({"ecn": 3}, {"flags": 1}))
        wires += [wire, wire, ce, cut]
    made = report(written([Record(at * 10**6, wire, len(wire)) for at, wire in enumerate(wires)]))
    found = made.findings
    assert found.duplicates.count == 6 and found.duplicates.left_out == 4
    assert found.congestion.marked == 3 and found.congestion.left_out == 2
    assert found.sizes.first_fragments == 3 and found.sizes.fragmenting_left_out == 2
    assert found.sizes.left_out == 6
    said = "".join(check(made.to_html()).words)
    assert said.count("of other endpoints are not in it") == 3 and "of other lengths are not counted" in said
