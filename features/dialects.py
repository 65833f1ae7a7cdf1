"""Plain SQL is written in DuckDB's dialect; this is how Spark says the same.

sqlglot carries most of it over. Here stands what means something else there: regular expressions (RE2 and Java's),
texts read as numbers and times, formats of times, zones, JSON, and the keyed hash.
"""

import re
from collections.abc import Callable
from typing import Any

import ibis
import sqlglot
from sqlglot import exp

from features.errors import RecipeError

KEYED_HMAC = "onebasket_hmac"  # a function of the Spark session: features/spark.py
# RE2 knows letters of ASCII only, takes '$' for the end of the text and only '\n' for the end of a line
JAVA_BOUNDARY = r"(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))"
DATE_PARTS = r"^\s*(\d+)([-/])(\d{1,2})\2(\d{1,2})"
JAVA_PARTS = {
    "%Y": "yyyy", "%y": "yy", "%m": "MM", "%d": "dd", "%H": "HH", "%I": "hh", "%M": "mm", "%S": "ss", "%p": "a",
    "%f": "SSSSSS", "%b": "MMM", "%B": "MMMM",
}  # fmt: skip
TIME_PARTS = r"(?:(?:[Tt]|\s+)(\d{1,2}:\d{1,2})(?:(:\d{1,2}(?:\.\d*)?)\s*([zZ]|[+-]\d{2}(?::?\d{2})?)?\s*)?)?$"
DOUBLE_AS_TEXT = r"""CASE WHEN ISNAN(:x) THEN 'nan' WHEN ABS(:x) = DOUBLE('inf') THEN IF(:x < 0, '-inf', 'inf')
WHEN :x = 0 THEN CAST(:x AS STRING) WHEN ABS(:x) >= 1e-4 AND ABS(:x) < 1e16 THEN REGEXP_REPLACE(REGEXP_REPLACE(
CAST(CAST(CAST(:x AS STRING) AS DECIMAL(38, 21)) AS STRING), '0+$', ''), '\\.$', '.0')
ELSE REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(CAST(:x AS STRING), '\\.0E', 'E'), 'E([0-9])', 'e+$1'),
'E', 'e'), '([+-])([0-9])$', '$10$2') END"""
Node = exp.Expression


def asked(table: Any, name: str, query: str) -> Any:
    """The rows of a query in DuckDB's dialect over an Ibis table that it calls `name`, on the table's own engine."""
    given = table.alias(name)
    if table.get_backend().name == "pyspark":
        return given.sql(spark_sql(query), dialect="spark")
    return given.sql(query, dialect="duckdb")


def types_of(table: Any) -> Any:
    """The schema of an Ibis table, in which an instant has its zone: of Spark's two timestamps Ibis makes one."""
    schema = table.schema()
    if table.get_backend().name != "pyspark":
        return schema
    backend = table.get_backend()
    kinds = backend.raw_sql(backend.compile(table)).dtypes
    return ibis.schema(
        {name: ibis.dtype("timestamp('UTC')") if kind == "timestamp" else schema[name] for name, kind in kinds}
    )


def spark_sql(query: str) -> str:
    """A query of DuckDB's dialect in Spark's."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    for node in reversed(list(tree.bfs())):  # what is inside is spelled first
        spell = SPELLED.get(type(node))
        spelled = spell(node) if spell else node
        if spelled is not node:
            node.replace(spelled)
    return str(tree.sql("spark"))


def _call(name: str, *arguments: Node | str) -> Node:
    given = [exp.Literal.string(one) if isinstance(one, str) else one for one in arguments]
    return exp.Anonymous(this=name, expressions=given)


def _said(sql: str, **parts: Node) -> Node:
    """Spark's SQL with nodes put in for :names."""
    return exp.replace_placeholders(sqlglot.parse_one(sql, dialect="spark"), **parts)


def _zoned(node: Node) -> Node:
    """Of DuckDB's AT TIME ZONE: twice turns clocks into instants or back, once shows an instant on clocks."""
    if isinstance(node.parent, exp.AtTimeZone):
        return node
    zone, inner = node.args["zone"], node.this
    if isinstance(inner, exp.AtTimeZone):
        if inner.args["zone"].name != "UTC":
            return _said(
                "CAST(TO_UTC_TIMESTAMP(:time, :zone) AS TIMESTAMP_NTZ)", time=inner.this, zone=inner.args["zone"]
            )
        inner = inner.this
    return _said("CAST(FROM_UTC_TIMESTAMP(:time, :zone) AS TIMESTAMP_NTZ)", time=inner, zone=zone)


def _pattern(node: Node) -> Node:
    """A regular expression, as text, for Java."""
    if not (isinstance(node, exp.Literal) and node.is_string):
        return node
    text = node.name.replace(r"\b", JAVA_BOUNDARY)
    if text.endswith("$") and not text.endswith(r"\$"):
        text = text[:-1] + r"\z"
    return exp.Literal.string("(?d)" + text)


def _matches(node: Node) -> Node:
    return exp.RegexpLike(this=node.this, expression=_pattern(node.expression))


def _replaced(node: Node) -> Node:
    """Every match is replaced; groups are written $1 in Java."""
    put = node.args.get("replacement")
    if isinstance(put, exp.Literal):
        put = exp.Literal.string(re.sub(r"\\(\d)", r"$\1", put.name.replace("$", r"\$")))
    return _call("REGEXP_REPLACE", node.this, _pattern(node.expression), put or "")


def _tried(node: Node) -> Node:
    """Texts read as DuckDB reads them: what only one of the two takes for a value is none, or is written plainly."""
    kind, value = node.args["to"], node.this
    if kind.is_type("BIGINT"):
        return _said("TRY_CAST(ROUND(TRY_CAST(:number AS DECIMAL(38, 10))) AS BIGINT)", number=_number(value))
    if kind.is_type("DECIMAL", "DOUBLE"):
        return exp.TryCast(this=_number(value), to=kind, safe=True)
    if kind.is_type("BOOLEAN"):
        return _said(
            r"CASE WHEN NOT CAST(:value AS STRING) RLIKE '\\s' THEN TRY_CAST(:value AS BOOLEAN) END", value=value
        )
    if kind.is_type("DATE"):
        return _said("TRY_CAST(:text AS DATE)", text=_written(value, DATE_PARTS + ".*$", "$1-$3-$4"))
    if kind.is_type("TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ"):
        plain = _written(value, DATE_PARTS + TIME_PARTS, "$1-$3-$4 $5$6$7")
        plain = _said(r"REGEXP_REPLACE(REGEXP_REPLACE(:text, '([+-]\\d{2})(\\d{2})$', '$1:$2'), ' $', '')", text=plain)
        return exp.TryCast(this=plain, to=kind, safe=True)
    return node


def _told(node: Node) -> Node:
    """A double as text in DuckDB's way: 12345678.9 and 1e-07, where Spark writes 1.23456789E7 and 1.0E-7."""
    if not (isinstance(node.this, exp.Cast) and node.this.is_type("DOUBLE") and node.is_type(*exp.DataType.TEXT_TYPES)):
        return node
    return _said(DOUBLE_AS_TEXT, x=node.this.this)


def _number(value: Node) -> Node:
    """A number as DuckDB writes it: with 1_000, without 1d and full-width digits."""
    if value.is_number or isinstance(value, exp.Mul | exp.Neg):
        return value
    return _said(
        r"CASE WHEN NOT CAST(:value AS STRING) RLIKE '[^\\x00-\\x7F]|[0-9.][dDfF]\\s*$' "
        r"THEN REGEXP_REPLACE(CAST(:value AS STRING), '(?<=[0-9])_(?=[0-9])', '') END", value=value,
    )  # fmt: skip


def _written(value: Node, pattern: str, form: str) -> Node:
    """The text of a value that fits a pattern, written in another form; null for what does not fit."""
    return _said("CASE WHEN CAST(:value AS STRING) RLIKE :fits THEN "
                 "REGEXP_REPLACE(CAST(:value AS STRING), :fits, :form) END",
                 value=value, fits=exp.Literal.string(pattern), form=exp.Literal.string(form))  # fmt: skip


def _named(node: Node) -> Node:
    """Functions that sqlglot does not know."""
    spell = FUNCTIONS.get(node.name.lower())
    return node if spell is None else spell(node)


def _read_time(node: Node) -> Node:
    """A format of strptime: where parts stand apart, a part may have fewer digits."""
    value, form = node.expressions
    return _said(
        "CAST(TRY_TO_TIMESTAMP(:text, :form) AS TIMESTAMP_NTZ)", text=value, form=exp.Literal.string(_java(form.name))
    )


def _java(form: str) -> str:
    """A format of strptime as Java has it.

    >>> _java("%d.%m.%Y um %H:%M")
    "d.M.yyyy 'um' H:m"
    """
    java = ""
    for part in re.findall(r"%-?.|[A-Za-z]+|'|[^%A-Za-z']+", form):
        known = part.replace("-", "")
        if part[0] == "%" and known not in JAVA_PARTS:
            raise RecipeError(f"{part} in {form!r} cannot be read on Spark: it knows {', '.join(JAVA_PARTS)}")
        if part[0] == "%":
            java += JAVA_PARTS[known]
        else:
            java += f"'{part}'" if part.isascii() and part.isalpha() else part.replace("'", "''")
    # where parts stand apart, each may have fewer digits
    return re.sub(r"(?<![A-Za-z])(MM|dd|HH|hh|mm|ss)(?![A-Za-z])", lambda found: found.group()[0], java)


def _refused(node: Node) -> Node:
    return _call("RAISE_ERROR", node.expressions[0])


def _element(node: Node) -> Node:
    return _said("TRY_ELEMENT_AT(:list, CAST(:place AS INT))", list=node.expressions[0], place=node.expressions[1])


def _json(node: Node) -> Node:
    """JSON with its nulls."""
    value = node.this if isinstance(node, exp.JSONFormat) else node.expressions[0]
    return _said("TO_JSON(:value, MAP('ignoreNullFields', 'false'))", value=value)


def _keyed(node: Node) -> Node:
    """The outer hash of a keyed one: the session's function of the message, so that no query holds the key."""
    inner = next((one for one in node.find_all(exp.SHA2) if one is not node), None)
    if inner is None or "onebasket_outer_pad" not in node.sql("duckdb"):
        return node
    message = next(inner.find_all(exp.Encode))
    return _call(KEYED_HMAC, message.this)


def _whole(node: Node) -> Node:
    return _said("CASE WHEN :value < 0 THEN CEIL(:value) ELSE FLOOR(:value) END", value=node.this)


FUNCTIONS: dict[str, Callable[[Node], Node]] = {
    "try_strptime": _read_time, "error": _refused, "list_extract": _element, "to_json": _json,
}  # fmt: skip
SPELLED: dict[type[Node], Callable[[Node], Node]] = {
    exp.AtTimeZone: _zoned, exp.RegexpLike: _matches, exp.RegexpReplace: _replaced, exp.TryCast: _tried,
    exp.Anonymous: _named, exp.JSONFormat: _json, exp.Cast: _told, exp.SHA2: _keyed, exp.Trunc: _whole,
}  # fmt: skip
