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
from vxlanpkt.spark.files import listed
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
        return spark_schema(options.columns, options.table["addresses"] == "binary", options.mode == "PERMISSIVE")

    def reader(self, schema: Any) -> DataSourceReader:
        """What reads the columns of a schema, ours or one that the user gave."""
        options = read_options(self.options)
        return (PushdownReader if options.pushdown else CaptureReader)(options, schema)


class CaptureReader(DataSourceReader):
    """Plans the tasks on the driver, and reads in each on an executor."""

    def __init__(self, options: Options, schema: Any) -> None:
        self._options = options
        self._schema = arrow_schema(schema)
        self._conditions: list[Any] = []

    def partitions(self) -> Sequence[InputPartition]:
        """Small files together, large ones in parts."""
        options = self._options
        files = listed(options.paths, options.split_bytes)
        return [InputPartition(pack) for pack in packs(files, options.pack_bytes, options.split_bytes)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of a task. Raises CaptureError for broken files, unless the mode is PERMISSIVE, and SplitError."""
        pack: Pack | None = partition.value
        if pack is None:  # so Spark says that there is nothing
            return
        options, start = self._options, pack.parts[0].start
        series = CaptureSeries(pack.parts, options.policy, numbered_through=False)
        try:
            for piece in series.table(columns=ours(self._schema), **options.table).pieces(_BATCH_ROWS):
                yield from self._wanted(as_spark(as_arrow(piece), self._schema, start))
        except BrokenFilesError as error:
            if options.mode == "FAILFAST":
                raise
            yield from self._wanted(self._faults(error, start))

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
