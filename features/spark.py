"""The Spark engine that runs the same Ibis expressions as DuckDB's, with equal results, on a chain of any size."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis

# What makes Spark calculate as DuckDB does. Timestamps are plain ones; an error is an error, never a silent null;
# a product of decimals keeps every digit, or fails, and is never rounded twice.
MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
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
    "spark.sql.adaptive.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
}


class SparkEngine:
    """A Spark session in which Ibis expressions are computed; it does what features.engine.Engine does for them."""

    def __init__(self, session: Any) -> None:
        for name, value in MEANING.items():
            session.conf.set(name, value)
        self.session = session
        self.ibis: Any = ibis.pyspark.connect(session)

    def read(self, name: str, *files: Path | str) -> Any:
        """Name parquet files, folders of such included, and return them as a table."""
        self.session.read.parquet(*map(str, files)).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an Ibis expression now, so that what follows does not compute it again, and return it as a table."""
        self._frame(expression).localCheckpoint(eager=True).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def view(self, name: str, expression: Any) -> Any:
        """Name an Ibis expression without computing it, and return it as a table."""
        self._frame(expression).createOrReplaceTempView(name)
        return self.ibis.table(name)

    def write(self, expression: Any, folder: Path | str) -> None:
        """Write an Ibis expression as parquet files into a folder, replacing it."""
        self._frame(expression).write.mode("overwrite").parquet(str(folder))

    def _frame(self, expression: Any) -> Any:
        return self.session.sql(self.ibis.compile(expression))


@contextmanager
def local_spark(**settings: str) -> Iterator[SparkEngine]:
    """Spark on this machine alone, for tests and trials."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").appName("onebasket")
    for name, value in (LOCAL | settings).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield SparkEngine(session)
    finally:
        session.stop()


__all__ = ["SparkEngine", "local_spark"]
_: Mapping[str, str] = MEANING
