"""Captures: pcap and pcapng read and written, and whole-file jobs.

Names only: each is loaded from its module when it is first used.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.capture.batches import RecordBatch as RecordBatch
    from vxlanpkt.capture.columns import COLUMNS as COLUMNS
    from vxlanpkt.capture.columns import CaptureColumn as CaptureColumn
    from vxlanpkt.capture.decapsulated import CaptureBatch as CaptureBatch
    from vxlanpkt.capture.decapsulated import DecapsulatedRecord as DecapsulatedRecord
    from vxlanpkt.capture.exports import export_file as export_file
    from vxlanpkt.capture.jobs import decap_file as decap_file
    from vxlanpkt.capture.jobs import encap_file as encap_file
    from vxlanpkt.capture.lazy import scan as scan
    from vxlanpkt.capture.opening import open as open  # noqa: A004 - the API's name
    from vxlanpkt.capture.pcap_writer import PcapWriter as PcapWriter
    from vxlanpkt.capture.pcapng_writer import PcapngWriter as PcapngWriter
    from vxlanpkt.capture.reader import Capture as Capture
    from vxlanpkt.capture.records import Interface as Interface
    from vxlanpkt.capture.records import Record as Record
    from vxlanpkt.capture.results import JobResult as JobResult
    from vxlanpkt.capture.results import PartialResultError as PartialResultError
    from vxlanpkt.capture.series import BrokenFilesError as BrokenFilesError
    from vxlanpkt.capture.stats import CaptureStats as CaptureStats
    from vxlanpkt.capture.stats import VNIStats as VNIStats
    from vxlanpkt.capture.tables import CaptureTable as CaptureTable

_MODULES: dict[str, tuple[str, ...]] = {
    "batches": ("RecordBatch",),
    "columns": ("COLUMNS", "CaptureColumn"),
    "decapsulated": ("CaptureBatch", "DecapsulatedRecord"),
    "exports": ("export_file",),
    "jobs": ("decap_file", "encap_file"),
    "lazy": ("scan",),
    "opening": ("open",),
    "pcap_writer": ("PcapWriter",),
    "pcapng_writer": ("PcapngWriter",),
    "reader": ("Capture",),
    "records": ("Interface", "Record"),
    "results": ("JobResult", "PartialResultError"),
    "series": ("BrokenFilesError",),
    "stats": ("CaptureStats", "VNIStats"),
    "tables": ("CaptureTable",),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
