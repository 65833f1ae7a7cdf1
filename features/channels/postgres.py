"""A table or view of a PostgreSQL server."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from features.channels.copied import Copied, as_types, check_names, decimal_type, writing
from features.channels.databases import connection_string, relation_of, without_secrets
from features.channels.export import Wanted

TYPES = {
    16: "BOOLEAN", 20: "BIGINT", 21: "BIGINT", 23: "BIGINT", 700: "DOUBLE", 701: "DOUBLE", 1082: "DATE",
    1114: "TIMESTAMP", 1184: "TIMESTAMPTZ",
}  # by PostgreSQL's number of the type; every other is text  # fmt: skip
NUMERIC = 1700
BLOCK = 16 * 1024 * 1024


def copy_postgres(wanted: Wanted) -> Copied:
    """Copy a relation through COPY, in a read-only transaction; instants are UTC."""
    import psycopg

    connection = connection_string(wanted.name, wanted.source.path)
    relation = relation_of(wanted, '"')
    options = "-c default_transaction_read_only=on -c TimeZone=UTC -c DateStyle=ISO"
    with (
        without_secrets(wanted, connection, psycopg.Error, pa.ArrowInvalid, OSError),
        psycopg.connect(connection, options=options, client_encoding="utf8") as server,
        server.cursor() as cursor,
    ):
        cursor.execute(f"SELECT * FROM {relation} LIMIT 0".encode())
        columns = [(column.name, column.type_code) for column in cursor.description or []]
        check_names(wanted, [name for name, _ in columns])
        with cursor.copy(f"COPY (SELECT * FROM {relation}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)".encode()) as rows:
            _write(wanted, [name for name, _ in columns], rows)
    return as_types(wanted, {name: _type(wanted, name, code) for name, code in columns})


def _type(wanted: Wanted, name: str, code: int) -> str:
    return decimal_type(wanted, name) if code == NUMERIC else TYPES.get(code, "VARCHAR")


def _write(wanted: Wanted, names: list[str], rows: Any) -> None:
    """CSV that quotes every value and leaves a null unquoted, into texts."""
    schema = pa.schema([(name, pa.string()) for name in names])
    with writing(wanted, schema) as writer:
        stream = io.BufferedReader(_Stream(iter(rows)), BLOCK)
        if not stream.peek(1):  # Arrow refuses a file without a row
            return
        batches = pacsv.open_csv(
            stream,
            pacsv.ReadOptions(column_names=names, block_size=BLOCK),
            pacsv.ParseOptions(newlines_in_values=True),
            pacsv.ConvertOptions(
                column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
        for batch in batches:
            writer.write_batch(batch)


class _Stream(io.RawIOBase):
    """The chunks of a COPY as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._left:
            self._left = bytes(next(self._chunks, b""))
        size = min(len(target), len(self._left))
        target[:size], self._left = self._left[:size], self._left[size:]
        return size
