"""A table or view of a MySQL or MariaDB server."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from features.channels.copied import Copied, as_types, copy_texts, decimal_type
from features.channels.databases import connection_string, relation_of, without_secrets
from features.channels.export import Wanted
from features.errors import RecipeError

TYPES = {
    1: "BIGINT", 2: "BIGINT", 3: "BIGINT", 8: "HUGEINT", 9: "BIGINT", 4: "DOUBLE", 5: "DOUBLE", 13: "BIGINT",
    10: "DATE", 12: "TIMESTAMP", 7: "TIMESTAMPTZ",
}  # by MySQL's number of the type; every other is text  # fmt: skip
DECIMALS = {0, 246}
DATES = {7, 10, 12}
NO_DATE = "0000-00-00"


def copy_mysql(wanted: Wanted) -> Copied:
    """Copy a relation row by row from the server, in a read-only transaction; its TIMESTAMPs are UTC instants."""
    import pymysql
    from pymysql.converters import encoders
    from pymysql.cursors import SSCursor

    connection = connection_string(wanted.name, wanted.source.path)
    relation = relation_of(wanted, "`")
    # without decoders every value stays the text that the server sent
    with (
        without_secrets(wanted, connection, pymysql.Error, OSError),
        closing(pymysql.connect(**_settings(wanted, connection), cursorclass=SSCursor, conv=encoders)) as server,
        server.cursor() as cursor,
    ):
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        cursor.execute(f"SELECT * FROM {relation}")
        columns = [(column[0], column[1]) for column in cursor.description]
        dated = {place for place, (_, code) in enumerate(columns) if code in DATES}
        copy_texts(wanted, [name for name, _ in columns], _rows(cursor, dated))
    return as_types(wanted, {name: _type(wanted, name, code) for name, code in columns})


def _settings(wanted: Wanted, connection: str) -> dict[str, Any]:
    url = urlsplit(connection)
    if url.scheme not in {"mysql", "mariadb"} or not url.path.strip("/"):
        raise RecipeError(
            f"sources.{wanted.name}: {wanted.source.path} holds no connection string of MySQL: write such as "
            "mysql://reader:password@host:3306/shop"
        )
    given = dict(parse_qsl(url.query))
    return {
        "host": url.hostname or "localhost",
        "port": url.port or 3306,
        "user": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "database": unquote(url.path.strip("/")),
        "charset": "utf8mb4",
        **{key: given[key] for key in ("unix_socket", "ssl_ca") if key in given},
    }


def _rows(cursor: Any, dated: set[int]) -> Iterator[list[str | None]]:
    """Rows as texts; MySQL's date of zeros is none."""
    for row in cursor:
        yield [
            None if value is None or (place in dated and value.startswith(NO_DATE)) else _text(value)
            for place, value in enumerate(row)
        ]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", errors="backslashreplace")


def _type(wanted: Wanted, name: str, code: int) -> str:
    return decimal_type(wanted, name) if code in DECIMALS else TYPES.get(code, "VARCHAR")
