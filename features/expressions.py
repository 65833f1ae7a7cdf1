"""SQL scalar expressions of recipes: parsed, refused where they reach beyond the row, made safe to run.

The dialect is DuckDB's. Everything is parsed with sqlglot, so that it can be written in another engine's
dialect later.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from features.errors import RecipeError, did_you_mean

DIALECT = "duckdb"
NOT_A_ROW_MATTER = (
    exp.Query, exp.Subquery, exp.Table, exp.AggFunc, exp.Window, exp.Star, exp.Parameter, exp.Placeholder,
    exp.SessionParameter, exp.Command, exp.DDL, exp.DML, exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp,
    exp.CurrentUser, exp.Rand,
)  # fmt: skip
OF_THE_SURROUNDINGS = frozenset({
    "getenv", "current_setting", "getvariable", "current_user", "session_user", "user", "version", "current_localtime",
    "current_localtimestamp", "localtime", "localtimestamp", "current_timestamp", "current_time", "pg_typeof",
    "read_text", "read_blob", "read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "glob",
    "query", "query_table", "columns", "unnest", "sniff_csv", "getvar", "set_config", "currval", "nextval",
})  # fmt: skip
KEYED_HASH = "keyed_hash"
PLAIN_KIND = "account"  # what keyed_hash(value) without a kind hashes its value as
PASSING_NULL = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Paren, exp.DPipe, exp.Cast, exp.TryCast,
    exp.StrToTime, exp.Upper, exp.Lower, exp.Trim,
)  # fmt: skip
CONDITIONAL = (exp.Case, exp.If, exp.Coalesce, exp.TryCast)


def quoted(name: str) -> str:
    """Quote an identifier for SQL.

    >>> quoted('order "no"')
    '"order ""no""\"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path | str) -> str:
    """Quote the path of one file for SQL that reads it: brackets and stars in its name are no pattern.

    >>> file_literal("a[1].csv")
    "'a[[]1].csv'"
    """
    return literal(no_pattern(path))


def every_parquet(folder: Path) -> str:
    """Quote, for SQL that reads them, the pattern of all parquet files in a folder and below."""
    return literal(no_pattern(folder) + "/**/*.parquet")


def no_pattern(path: Path | str) -> str:
    """A path in which brackets, stars and question marks stand for themselves, where DuckDB takes a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


@dataclass(frozen=True)
class Scalar:
    """A checked expression.

    `sql` to run; `unreadable`, a condition true where one of its casts fails, which makes the whole null where
    `null_if_unreadable`; the export's columns that it reads, and those of them that it gives to keyed_hash().
    """

    sql: str
    unreadable: str | None
    null_if_unreadable: bool = False
    columns: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()


def scalar(expression: str, columns: Collection[str], place: str, country: str | None = None) -> Scalar:
    """Check an expression over `columns` and make its casts give null instead of failing.

    `country` (ISO 3166) is where telephone numbers without a country code belong.
    Raises RecipeError naming `place` when it is no expression, reaches beyond the row, or names an unknown column.
    """
    tree = _parse(expression, place)
    _refuse_reach(tree, expression, place)
    _check_columns(tree, columns, place)
    personal = _hashed_columns(tree, place)
    casts = [
        node for node in tree.find_all(exp.Cast, exp.StrToTime)
        if not isinstance(node, exp.TryCast) and node.find_ancestor(*CONDITIONAL) is None
        and not isinstance(node.this, exp.Literal)
    ]  # fmt: skip
    failing = [
        f"(({_safe_sql(node.this, country)}) IS NOT NULL AND ({_safe_sql(node, country)}) IS NULL)" for node in casts
    ]
    return Scalar(
        _safe_sql(tree, country),
        " OR ".join(failing) or None,
        all(_passes_null(node, tree) for node in casts),
        frozenset(column.name for column in tree.find_all(exp.Column)),
        personal,
    )


def _passes_null(node: exp.Expression, tree: exp.Expression) -> bool:
    """Whether the whole is null where this part of it is."""
    while node is not tree and node.parent is not None:
        node = node.parent
        if not isinstance(node, PASSING_NULL):
            return False
    return True


def _hashed_columns(tree: exp.Expression, place: str) -> frozenset[str]:
    """The columns within keyed_hash(value) or keyed_hash('kind', value)."""
    found: set[str] = set()
    for call in _keyed_hashes(tree):
        if len(call.expressions) not in {1, 2} or (len(call.expressions) == 2 and not call.expressions[0].is_string):
            raise RecipeError(
                f"{place}: {call.sql(DIALECT)!r}: write keyed_hash(value), or keyed_hash('phone', value) with a kind"
            )
        found |= {column.name for column in call.find_all(exp.Column)}
    return frozenset(found)


def _keyed_hashes(tree: exp.Expression) -> list[exp.Anonymous]:
    return [call for call in tree.find_all(exp.Anonymous) if call.name.lower() == KEYED_HASH]


def _parse(expression: str, place: str) -> exp.Expression:
    try:
        trees = sqlglot.parse(f"SELECT {expression}", dialect=DIALECT)
    except sqlglot.errors.SqlglotError as fault:
        raise RecipeError(f"{place}: cannot read {expression!r} as an SQL expression: {_plain(str(fault))}") from fault
    select = trees[0]
    if len(trees) != 1 or not isinstance(select, exp.Select) or len(select.expressions) != 1 \
            or any(value for key, value in select.args.items() if key != "expressions"):  # fmt: skip
        raise RecipeError(f"{place}: {expression!r} is not one scalar expression: write a single value per column")
    tree: exp.Expression = select.expressions[0]
    if isinstance(tree, exp.Alias):
        raise RecipeError(f"{place}: {expression!r} names its result: leave out AS, the key is the name")
    return tree


def _plain(message: str) -> str:
    return message.split("\n", maxsplit=1)[0].replace("\x1b[4m", "").replace("\x1b[0m", "")


def _refuse_reach(tree: exp.Expression, expression: str, place: str) -> None:
    beyond = tree.find(*NOT_A_ROW_MATTER)
    if beyond is not None:
        raise RecipeError(
            f"{place}: {beyond.sql(DIALECT)!r} reaches beyond the row: only scalar expressions over the export's "
            "columns are allowed, no subquery, aggregate, file or clock"
        )
    for name in _called(expression):
        if name in OF_THE_SURROUNDINGS or name in _functions_beyond_the_row():
            raise RecipeError(
                f"{place}: the function {name}() reaches beyond the row: only functions of the export's columns "
                "are allowed"
            )


def _called(expression: str) -> list[str]:
    """Names that stand before an opening parenthesis, in lower case."""
    tokens = sqlglot.tokenize(expression, read=DIALECT)
    return [
        token.text.lower() for token, following in pairwise(tokens) if following.token_type == sqlglot.TokenType.L_PAREN
    ]


@cache
def _functions_beyond_the_row() -> frozenset[str]:
    """Functions of the engine that aggregate, read files, or depend on more than their arguments."""
    with duckdb.connect() as engine:
        rows = engine.execute(
            "SELECT DISTINCT function_name, function_type = 'scalar' AND stability = 'CONSISTENT' "
            "OR function_type = 'macro' AND schema_name = 'main' FROM duckdb_functions()"
        ).fetchall()
    plain = {name for name, is_plain in rows if is_plain}
    return frozenset(name for name, _ in rows) - plain


def _check_columns(tree: exp.Expression, columns: Collection[str], place: str) -> None:
    known = {column.lower() for column in columns}
    inner = {part.name.lower() for scope in tree.find_all(exp.Lambda) for part in scope.expressions}
    for column in tree.find_all(exp.Column):
        name = column.parts[0].name
        if name.lower() not in known | inner:
            raise RecipeError(
                f"{place}: the export has no column {name!r}{did_you_mean(name, columns)}: it has {_some(columns)}"
            )


def _some(columns: Collection[str]) -> str:
    shown = sorted(columns)[:20]
    return ", ".join(shown) + (f" and {len(columns) - 20} more" if len(columns) > len(shown) else "")


def _safe_sql(tree: exp.Expression, country: str | None) -> str:
    return str(tree.transform(_safely, country).sql(DIALECT, identify=True))  # a column may be named as a keyword


def _safely(node: exp.Expression, country: str | None) -> exp.Expression:
    if type(node) is exp.Cast:
        return exp.TryCast(**{key: value.copy() if isinstance(value, exp.Expression) else value
                              for key, value in node.args.items()})  # fmt: skip
    if isinstance(node, exp.StrToTime):
        return exp.Anonymous(this="try_strptime", expressions=[node.this.copy(), exp.Literal.string(_format(node))])
    if isinstance(node, exp.Anonymous) and node.name.lower() == KEYED_HASH:
        return _hash_call(node, country)
    return node


def _hash_call(node: exp.Anonymous, country: str | None) -> exp.Expression:
    from features.keyed_hash import hashed  # it writes SQL with this file's quoting

    kind = node.expressions[0].sql(DIALECT) if len(node.expressions) == 2 else literal(PLAIN_KIND)
    value = f"CAST({_safe_sql(node.expressions[-1], country)} AS VARCHAR)"
    return sqlglot.parse_one(f"({hashed(value, kind, country)})", dialect=DIALECT)


def _format(node: exp.StrToTime) -> str:
    """The strptime format as DuckDB writes it."""
    written = sqlglot.parse_one(node.sql(DIALECT), dialect=DIALECT)
    argument = written.args["format"]
    return str(argument.name)
