"""The Spark engine that runs the same Ibis expressions as DuckDB's, with equal results, on a chain of any size."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from features.dialects import KEYED_HMAC

# What makes Spark calculate as DuckDB does. Timestamps are plain ones; an error is an error, never a silent null;
# a product of decimals keeps every digit, or fails, and is never rounded twice.
MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.log.level": "ERROR",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


class SparkEngine:
    """A Spark session in which Ibis expressions are computed; it does what features.engine.Engine does for them."""

    def __init__(self, session: Any, scratch: Path | str) -> None:
        for name, value in MEANING.items():
            session.conf.set(name, value)
        self.session, self.scratch, self._numbers = session, str(scratch), count(1)
        self.ibis: Any = ibis.pyspark.connect(session)

    def read(self, name: str, *files: Path | str) -> Any:
        """Name parquet files, folders of such included, and return them as a table."""
        self.session.read.parquet(*map(str, files)).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def read_placed(self, name: str, files: list[str], file: str, row: str, *, has_row: bool) -> Any:
        """Name landed files, each row with its file (the folder's name) and its place in it, and return them."""
        from pyspark.sql.functions import col, regexp_extract

        rows = self.session.read.option("mergeSchema", "true").parquet(*files)
        place = col(row) if has_row else col("_metadata.row_index")
        rows = rows.withColumns(
            {file: regexp_extract("_metadata.file_path", "([^/]+)/[^/]+$", 1), row: place.cast("bigint")}
        )
        rows.createOrReplaceTempView(name)
        return self.ibis.table(name)

    def give(self, name: str, rows: pa.Table) -> Any:
        """Name a small table of this process and return it."""
        self.session.createDataFrame(rows).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def none_of(self, name: str, columns: Mapping[str, str]) -> Any:
        """A table without rows."""
        return self.give(name, pa.Table.from_pylist([], ibis.schema(columns).to_pyarrow()))

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an Ibis expression now, so that what follows does not compute it again, and return it as a table.

        It goes through files: plans stay short however many steps there are, a lost executor loses nothing, and
        Spark knows how small a table is (`localCheckpoint` forgets it, and breaks plans of Spark 4.0).
        """
        rows, folder = self._frame(expression), f"{self.scratch}/{name}-{next(self._numbers)}"
        rows.write.parquet(folder)
        self.session.read.schema(rows.schema).parquet(folder).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def view(self, name: str, expression: Any) -> Any:
        """Name an Ibis expression without computing it, and return it as a table."""
        self._frame(expression).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def hold_pads(self, pads: Mapping[str, bytes]) -> None:
        """Hold the padded keys of features/keyed_hash.py in a function of the session: plans and logs show no key."""
        inner, outer = pads.values()

        def keyed(message: str | None) -> str | None:
            if message is None:
                return None
            return sha256(outer + sha256(inner + message.encode()).digest()).hexdigest()

        self.session.udf.register(KEYED_HMAC, keyed, "string")

    def write(self, expression: Any, folder: Path | str) -> None:
        """Write an Ibis expression as parquet files into a folder, replacing it."""
        self._frame(expression).write.mode("overwrite").parquet(str(folder))

    def _frame(self, expression: Any) -> Any:
        """The rows of an expression in the types that it promises: Spark numbers rows in 32 bits, Ibis says 64."""
        from ibis.backends.pyspark.datatypes import PySparkSchema
        from pyspark.sql.functions import col
        from pyspark.sql.types import NumericType

        rows, promised = self.session.sql(self.ibis.compile(expression)), PySparkSchema.from_ibis(expression.schema())
        kinds = {one.name: one.dataType for one in promised}
        other = [one.name for one in rows.schema
                 if isinstance(one.dataType, NumericType) and one.dataType != kinds[one.name]]  # fmt: skip
        return rows.withColumns({name: col(f"`{name}`").cast(kinds[name]) for name in other}) if other else rows


@contextmanager
def local_spark(scratch: Path, **settings: str) -> Iterator[SparkEngine]:
    """Spark on this machine alone, for tests and trials."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").appName("onebasket")
    for name, value in (LOCAL | settings).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield SparkEngine(session, scratch)
    finally:
        session.stop()
