"""A table that Ibis can reach, by its connection URL: DuckDB, Spark, BigQuery, Snowflake and others."""

import ibis
import pyarrow as pa

from features.channels.copied import Copied, as_written, check_names, writing
from features.channels.databases import connection_string, without_secrets
from features.channels.export import Wanted
from features.channels.spark import URL, spark_table
from features.errors import RecipeError, SourceError


def copy_table(wanted: Wanted) -> Copied:
    """Copy a table through Arrow, in the types that it has."""
    connection = connection_string(wanted.name, wanted.source.path)
    if not wanted.source.relation:
        raise RecipeError(f"sources.{wanted.name}: relation is missing: name the table or view to read")
    try:
        # every backend has errors of its own
        with without_secrets(wanted, connection, Exception):
            if connection.startswith(URL):
                _write(wanted, spark_table(connection, wanted.source.relation).to_reader())
            else:
                _copy(wanted, connection, wanted.source.relation)
    except ImportError as fault:
        raise SourceError(
            f"sources.{wanted.name}: Ibis lacks a library for it ({fault.name}): pip install 'ibis-framework[…]'"
        ) from fault
    return as_written(wanted)


def _copy(wanted: Wanted, connection: str, relation: str) -> None:
    *schema, name = relation.split(".")
    backend = ibis.connect(connection)
    try:
        _write(wanted, backend.table(name, database=".".join(schema) or None).to_pyarrow_batches())
    finally:
        backend.disconnect()


def _write(wanted: Wanted, batches: pa.RecordBatchReader) -> None:
    check_names(wanted, batches.schema.names)
    with writing(wanted, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
