"""A table or temporary view of Spark, by a URL such as pyspark:// or pyspark://?spark.master=spark://host:7077."""

from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa

URL = "pyspark:"


def spark_table(connection: str, relation: str) -> pa.Table:
    """Every row of a relation, in the types that it has; it passes through the driver's memory.

    In a process that runs Spark already its session is used, with its temporary views, and stays open.
    """
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    builder = SparkSession.builder
    for name, value in parse_qsl(urlsplit(connection).query):
        builder = builder.config(name, value)
    session = running or builder.getOrCreate()
    try:
        # unlike Ibis, which makes one of Spark's two timestamps, Arrow tells an instant from what clocks show
        table: pa.Table = session.table(relation).toArrow()
        return table
    finally:
        if running is None:
            session.stop()
