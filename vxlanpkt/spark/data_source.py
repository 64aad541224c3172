"""The data source: what Spark asks for its schema, for the tasks that there are, and in each for the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from vxlanpkt.capture.frames import as_arrow
from vxlanpkt.capture.planning import Pack, packs
from vxlanpkt.capture.series import BrokenFilesError, CaptureSeries
from vxlanpkt.spark.conditions import fulfilled, is_understood
from vxlanpkt.spark.files import listed, sizes_for, with_magic
from vxlanpkt.spark.options import Options, read_options
from vxlanpkt.spark.schemas import FAULT, arrow_schema, as_spark, ours, spark_schema

_BATCH_ROWS = 65_536


class VXLANDataSource(DataSource):
    """Captures, as `export` makes tables of them, under the name "vxlan"; docs/scale.md has the options and types."""

    @classmethod
    def name(cls) -> str:
        """What `spark.read.format` is told."""
        return "vxlan"

    def schema(self) -> Any:
        """The columns: all, or those of the option `columns`."""
        options = read_options(self.options)
        binary, with_faults = options.addresses == "binary", options.mode == "PERMISSIVE"
        return spark_schema(options.table, options.columns, binary, with_faults)

    def reader(self, schema: Any) -> DataSourceReader:
        """What reads the columns of a schema, ours or one that the user gave."""
        options = read_options(self.options)
        return (PushdownReader if options.pushdown else CaptureReader)(options, schema)


class CaptureReader(DataSourceReader):
    """Plans the tasks on the driver, and reads in each on an executor."""

    def __init__(self, options: Options, schema: Any) -> None:
        self._options = options
        self._schema = arrow_schema(options.table, schema)
        self._conditions: list[Any] = []

    def partitions(self) -> Sequence[InputPartition]:
        """Small files together, large ones in parts."""
        options = self._options
        files = list(listed(options.paths))
        pack_bytes, split_bytes = options.pack_bytes, options.split_bytes
        if options.partitions is not None:
            pack_bytes, each = sizes_for(files, options.partitions)
            split_bytes = each if split_bytes else 0
        begun = (with_magic(file, split_bytes) for file in files)
        return [InputPartition(pack) for pack in packs(begun, pack_bytes, split_bytes)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of a task. Raises CaptureError for broken files, unless the mode is PERMISSIVE, and SplitError."""
        pack: Pack | None = partition.value
        if pack is None:  # so Spark says that there is nothing
            return
        options, start = self._options, pack.parts[0].start
        series = CaptureSeries(pack.parts, options.policy, numbered_through=False)
        try:
            for rows in self._rows(series):
                yield from self._wanted(as_spark(rows, self._schema, start))
        except BrokenFilesError as error:
            if options.mode == "FAILFAST":
                raise
            yield from self._wanted(self._faults(error, start))

    def _rows(self, series: CaptureSeries) -> Iterator[pa.Table]:
        """The rows of the table that is asked for."""
        options, columns = self._options, ours(self._schema)
        if options.table == "records":
            table = series.table(
                columns=columns or ["record"], vni=options.vni, filter=options.filter, addresses=options.addresses
            )
            return map(as_arrow, table.pieces(_BATCH_ROWS))
        from vxlanpkt.spark.counts import Counts  # which records do without

        counts = Counts(options.table, columns, options.addresses == "binary")
        return counts.tables(series, options.vni, options.filter)

    def _wanted(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        for condition in self._conditions:
            rows = rows.filter(fulfilled(rows, condition))
        yield from rows.combine_chunks().to_batches()

    def _faults(self, error: BrokenFilesError, start: int) -> pa.Table:
        """A row for each broken file: its name, its part, and what is wrong with it. None if nobody asks for that."""
        faults = error.faults if FAULT in self._schema.names else ()
        known = {
            "file": [name for name, _ in faults], "part": [start] * len(faults), FAULT: [str(of) for _, of in faults],
        }  # fmt: skip
        columns = [
            pa.array(known.get(field.name, [None] * len(faults)), field.type) for field in self._schema
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=self._schema)


class PushdownReader(CaptureReader):
    """The same, which takes conditions; Spark refuses one that could unless its configuration allows it."""

    def pushFilters(self, filters: list[Any]) -> Iterable[Any]:  # noqa: N802 - the name is Spark's
        """Keep the conditions that are understood; the answer are the others."""
        for condition in filters:
            if is_understood(condition, self._schema):
                self._conditions.append(condition)
            else:
                yield condition
