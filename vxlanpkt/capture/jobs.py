"""Whole-file jobs: take the tunnels off a capture, or put every packet of one into a tunnel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

from vxlanpkt.capture.inner import Container, InnerLink, inner_frames
from vxlanpkt.capture.origins import File
from vxlanpkt.capture.outputs import Chosen, Outputs, path_of
from vxlanpkt.capture.reader import Capture, policy_for
from vxlanpkt.capture.refusals import refused, require_one_of
from vxlanpkt.capture.results import JobResult, PartialResultError, Progress
from vxlanpkt.capture.stats import CaptureStats
from vxlanpkt.errors import CaptureError, is_number
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter, require_filter, selected

if TYPE_CHECKING:
    from vxlanpkt.tunnel import Tunnel

_Item = TypeVar("_Item")

_PROGRESS_RECORDS = 4096


def decap_file(
    source: File,
    target: File,
    *,
    ports: Iterable[int] | None = None,
    policy: DecapPolicy | None = None,
    vni: int | Iterable[int] | None = None,
    filter: RowFilter | None = None,
    depth: int | Literal["all"] = 1,
    split_by: Literal["vni"] | None = None,
    inner_link: InnerLink = "error",
    container: Container | None = None,
    progress: Progress | None = None,
) -> JobResult:
    """Write the inner frames of a capture, with the times and interfaces of the records that they came in.

    source      a path, a binary file object, or "-": as `open` takes it
    target      the same for output; a file appears under its name when it is complete, compressed if it ends in
                .gz or .zst, and may be the source itself
    ports       the UDP ports that carry VXLAN, instead of the policy's
    policy      what is accepted; RFC 7348 with inner tags kept and cut packets accepted by default
    vni         only this VNI, or these, of the outermost tunnel
    filter      only frames that it matches, as they are in the outermost tunnel
    depth       how many tunnels to take off, one in the other; "all" as long as there are any. The outermost one
                decides whether a record is written at all; a frame with fewer tunnels is written as it is found
    split_by    "vni" writes one file for each VNI of the outermost tunnel: stem-VNI.suffix
    inner_link  what becomes of bare IP (GPE). In pcapng it gets an interface of LINKTYPE_RAW beside the input's;
                in pcap it is an "error", or the file is one of "raw" IP, in which Ethernet is the error.
                "ethernet" gives it a header with zero addresses in either
    container   "pcap" or "pcapng"; by default what the name ends in, pcap if that says nothing, and the source's
                for standard output and file objects
    progress    see `Progress`

    pcap timestamps are in microseconds if the source is a pcap file with those, else in nanoseconds.
    Raises PartialResultError if the source breaks off; CaptureError, OSError or FieldError, with no file written, for
    anything else.
    """
    if filter is not None:
        require_filter(filter)
    require_one_of("inner_link", inner_link, ("error", "ethernet", "raw"))
    _require_depth(depth)
    _require_container(container)
    _require_split(split_by, target)
    levels = -1 if depth == "all" else depth - 1
    with Capture(source, policy_for(ports, policy)) as capture:
        outputs = Outputs(capture, target, container, split=split_by is not None)
        whole = _WholeRecords(capture, progress)
        with _discarded_on_error(outputs):
            written = skipped = 0
            brief = filter is None and levels == 0 and not capture.policy.gpe and not capture.policy.alters
            for batch in whole.take(capture.decap_batches(vni=vni, columns="brief" if brief else "all")):
                inner = inner_frames(batch.result, capture.policy, levels)
                chosen = Chosen(batch.result.status, None if filter is None else selected(filter, batch.result))
                vnis = batch.result.vni
                left_out = outputs.write_rows(batch.records, inner, vnis, chosen, inner_link)
                written += chosen.count - left_out
                skipped += left_out
                whole.report(len(batch.records))
            files = outputs.commit()
        return whole.finish(JobResult(capture.stats, files, written, skipped))


def encap_file(
    source: File,
    target: File,
    tunnel: Tunnel,
    *,
    identification: int | None = None,
    container: Container | None = None,
    progress: Progress | None = None,
) -> JobResult:
    """Write every packet of a capture inside *tunnel*, with the times and interfaces of the source.

    source, target, container, progress  as in `decap_file`
    identification  the outer IPv4 header's for the first packet, each one's is one more; without it they are 0, or
                    counted from 0 where the tunnel can leave DF clear

    The source has to be of Ethernet frames, or of bare IP packets for a tunnel with `gpe`. A packet that the source
    cut is wrapped as the whole one would have been, and cut: lengths are right, a computed UDP checksum is not.
    Packets too long for a datagram are left out, and counted under INNER_TOO_LONG.
    Raises as `decap_file`.
    """
    from vxlanpkt.capture.outer import require_tunnel, wrapped  # which are not loaded to decapsulate

    require_tunnel(tunnel)
    if identification is not None and not is_number(identification, 16):
        raise refused("identification", identification, "a number of 16 bits", 16)
    _require_container(container)
    counter = 0 if identification is None and tunnel.df != "set" else identification
    with Capture(source, policy_for(None, None)) as capture:
        outputs = Outputs(capture, target, container, split=False)
        whole = _WholeRecords(capture, progress)
        stats = CaptureStats()
        with _discarded_on_error(outputs):
            for records in whole.take(capture.batches()):
                first = None if counter is None else counter + records.first & 0xFFFF
                outer, status = wrapped(records, tunnel, first)
                chosen = Chosen(status)
                outputs.write_rows(records, outer, None, chosen, "error")
                stats.count(tunnel.vni, status, map(records.length.__getitem__, chosen.rows[: chosen.count]))
                whole.report(len(records))
            files = outputs.commit()
        stats.error = whole.fault
        return whole.finish(JobResult(stats, files, stats.vxlan))


class _WholeRecords:
    """What a source yields before its fault, and the fault; tells of the progress on the way."""

    def __init__(self, capture: Capture, progress: Progress | None) -> None:
        self.fault: CaptureError | None = None
        self._capture = capture
        self._progress = progress
        self._unreported = 0

    def take(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """*items*, up to the fault; one in the file's header is raised, as there is nothing that could be done."""
        try:
            yield from items
        except CaptureError as error:
            if self._capture.container is None:
                raise
            self.fault = error

    def report(self, records: int) -> None:
        """Tell of the progress, if enough was done since it was told last."""
        self._unreported += records
        if self._progress is not None and self._unreported >= _PROGRESS_RECORDS:
            self._unreported = 0
            self._progress(self._capture.consumed, self._capture.size)

    def finish(self, result: JobResult) -> JobResult:
        """The result, or the error that carries it."""
        if self._progress is not None:
            self._progress(self._capture.consumed, self._capture.size)
        if self.fault is not None:
            raise PartialResultError(str(self.fault), offset=self.fault.offset, result=result) from self.fault
        return result


def _require_depth(depth: int | str) -> None:
    if depth != "all" and (not isinstance(depth, int) or depth < 1):
        raise refused("depth", depth, 'a positive number or "all"')


def _require_split(split_by: str | None, target: File) -> None:
    if split_by is not None and (split_by != "vni" or path_of(target) is None):
        raise refused("split_by", split_by, '"vni" with a path to write to')


def _require_container(container: Container | None) -> None:
    if container is not None:
        require_one_of("container", container, ("pcap", "pcapng"))


@contextmanager
def _discarded_on_error(outputs: Outputs) -> Iterator[None]:
    try:
        yield
    except BaseException:
        outputs.discard()
        raise
