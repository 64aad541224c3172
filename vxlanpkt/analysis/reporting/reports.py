"""`report`: a capture counted in one pass, and the page about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from vxlanpkt.analysis.collecting import Collector, Origin
from vxlanpkt.analysis.findings import Findings, as_plain
from vxlanpkt.analysis.passes import Pass
from vxlanpkt.analysis.reporting.page import page
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.reader import FILE_POLICY, Capture, policy_for, with_vnis
from vxlanpkt.capture.records import Interface
from vxlanpkt.capture.sinks import Sink
from vxlanpkt.errors import CaptureError, refused_argument
from vxlanpkt.policy import DecapPolicy

if TYPE_CHECKING:
    from vxlanpkt.capture.results import Progress

_DEFAULT_TOP = 30


class Report:
    """What was found in a capture. Not made by hand.

    findings  all of it, as plain values
    error     why the rest of the capture could not be read; None if it was read to its end
    """

    def __init__(self, findings: Findings, error: CaptureError | None) -> None:
        self.findings = findings
        self.error = error

    def to_html(self) -> str:
        """One page that needs nothing else: it loads no style, script, font or picture from anywhere."""
        return page(self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The findings as plain values, fit for JSON."""
        return as_plain(self.findings)  # type: ignore[no-any-return]

    def write(self, target: File) -> None:
        """Write the page to a path, where it appears when it is complete, to a binary file object, or to "-"."""
        with Sink(target) as sink:
            sink.write(self.to_html().encode())

    def _repr_html_(self) -> str:
        overview = self.findings.overview
        return f"<p>Report: {overview.records:,} records, {overview.vxlan:,} VXLAN; <code>write(path)</code></p>"

    def __repr__(self) -> str:
        overview = self.findings.overview
        return f"<Report of {overview.records} records, {overview.vxlan} VXLAN>"


def report(
    source: File | Capture,
    *,
    ports: Iterable[int] | None = None,
    policy: DecapPolicy | None = None,
    vni: int | Iterable[int] | None = None,
    top: int = _DEFAULT_TOP,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> Report:
    """Count what a capture of VXLAN traffic holds, for a page about it.

    source         a path, a binary file object, "-", or a capture that was opened, which is left open
    ports, policy  as in `open`; a capture's own by default
    vni            only this VNI, or these
    top            how many flows, and how many pairs of endpoints a finding names
    progress       called with the bytes of the input taken, and its size if that is known
    now            when the report was made, as the page says; the present by default

    A capture that breaks off gives a report of all that came before, whose `error` says why; a file that is no capture
    raises CaptureError.
    """
    if not isinstance(top, int) or top < 1:
        raise refused_argument("analysis", "top", top, "a positive number")
    vnis = vni if vni is None or isinstance(vni, int) else tuple(vni)
    own = source.policy if isinstance(source, Capture) else None
    chosen = policy_for(ports, own if policy is None else policy)
    capture = source if isinstance(source, Capture) else Capture(source, chosen)
    made = Pass(capture, None, chosen, vnis, None, progress)
    collector = Collector()
    try:
        for batch, _ in made.batches():
            collector.add(batch)
    finally:
        if capture is not source:
            capture.close()
    wanted = with_vnis(chosen, vnis).vnis
    origin = Origin(
        "standard input" if capture.name == "-" else capture.name, capture.size, capture.container or "",
        tuple(map(_interface, capture.interfaces)),
        datetime.now(timezone.utc) if now is None else now, _described(chosen), tuple(sorted(chosen.ports)),
        None if wanted is None else tuple(sorted(wanted)), None if made.fault is None else str(made.fault),
    )  # fmt: skip
    return Report(collector.finish(made.stats, origin, top), made.fault)


def _interface(interface: Interface) -> str:
    """What is known of an interface, on one line."""
    named = [text for text in (interface.name, interface.description) if text]
    return ", ".join(named) or f"link type {interface.link_type}, without a name"


def _described(policy: DecapPolicy) -> str:
    """The preset that a policy is nearest to, and what is different; ports and VNIs are told elsewhere."""
    told = [name for name in policy.__match_args__ if name not in ("ports", "vnis")]
    presets = {
        "default": FILE_POLICY,
        **{name: one for name, one in DecapPolicy.presets().items() if name != "default"},
    }
    changes = {
        name: [f"{field}={getattr(policy, field)!r}" for field in told if getattr(policy, field) != getattr(one, field)]
        for name, one in presets.items()
    }  # fmt: skip
    name = min(changes, key=lambda name: len(changes[name]))
    return ", ".join([name, *changes[name]])
