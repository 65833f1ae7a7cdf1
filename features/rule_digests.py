"""What a file's rows find in the tables that they are mapped with, as one number per file.

Exchange rates come every day, and product units now and then. Each landed file keeps what its rows ask: foreign
currencies by local day, and products by unit. Only a file that finds something else than before is mapped again.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from features.conversions import ASKED_UNIT, CODE
from features.currencies import rates_of
from features.engine import Engine
from features.expressions import file_literal, literal
from features.judging import Door
from features.sources import Source

HELPING = ("product_units", "exchange_rates")  # tables that other sources are mapped with: read first
RATES, RULES = "asked_rates", "asked_rules"


def asks(source: Source) -> bool:
    """Whether rows of a source are looked up in one of the tables."""
    currency, unit = {"currency", "ordered_at"}, {"unit", "quantity"}
    return source.table == "order_lines" and (currency <= source.columns.keys() or unit <= source.columns.keys())


def write_asked(door: Door, source: Source, rows: Path, file: Path) -> None:
    """Write what the rows of a landed file ask: (code, day) of foreign amounts, (product_id, unit) of quantities."""
    read, parts = f"read_parquet({file_literal(rows)})", []
    if {"currency", "ordered_at"} <= source.columns.keys():
        own = literal(door.intake.retailer.currency.strip().upper())
        parts.append(
            f"SELECT DISTINCT {CODE} AS code, day, CAST(NULL AS VARCHAR) AS product_id, CAST(NULL AS VARCHAR) AS unit "
            f"FROM {read} WHERE {CODE} <> {own} AND day IS NOT NULL"
        )
    if {"unit", "quantity"} <= source.columns.keys():
        parts.append(
            f"SELECT DISTINCT CAST(NULL AS VARCHAR) AS code, CAST(NULL AS DATE) AS day, product_id, "
            f"{ASKED_UNIT} AS unit FROM {read} WHERE product_id IS NOT NULL AND {ASKED_UNIT} IS NOT NULL"
        )
    door.engine.run(f"COPY ({' UNION ALL '.join(parts)}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)")


def open_rules(door: Door) -> None:
    """Lay the tables as they are now into the engine, for `rule_digests`: a rate for each day from the first on."""
    own = door.intake.retailer.currency.strip().upper()
    rates = [
        {"code": code, "number": number, "first": of_one.first, "rate": f"{rate:f}"}
        for code, of_one in rates_of(door.rows("exchange_rates")).items() if code != own
        for number, rate in enumerate(of_one.daily)
    ]  # fmt: skip
    schema = pa.schema([("code", pa.string()), ("number", pa.int32()), ("first", pa.date32()), ("rate", pa.string())])
    _laid(door.engine, RATES, pa.Table.from_pylist(rates, schema),
          "code, CAST(first + number AS DATE) AS day, rate")  # fmt: skip
    rules = [
        {"product_id": row["product_id"], "unit": row["unit"], "rule": f"{row['to_unit']} {row['times'].normalize():f}"}
        for row in door.rows("product_units")
    ]
    schema = pa.schema([(name, pa.string()) for name in ("product_id", "unit", "rule")])
    _laid(door.engine, RULES, pa.Table.from_pylist(rules, schema), "*")


def _laid(engine: Engine, name: str, rows: pa.Table, columns: str) -> None:
    engine.ibis.create_table(f"{name}_given", rows, overwrite=True)
    engine.run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM {name}_given")


def rule_digests(engine: Engine, asked: dict[str, Path]) -> dict[str, str]:
    """For each name in `asked` (name = file of what its rows ask): a hash of all that they find, '' for nothing.

    The last rate up to a day holds on that day; so a rate that was held on and is now given exactly is another.
    """
    if not asked:
        return {}
    listed = ", ".join(file_literal(file) for file in asked.values())
    rows: dict[str, Any] = dict(
        engine.rows(
            f"WITH asked AS (SELECT * FROM read_parquet([{listed}], filename = true)), found AS ("
            f"SELECT filename, concat_ws(' ', asked.code, asked.day, rate) AS what FROM asked ASOF JOIN {RATES} AS "
            "rates ON asked.code = rates.code AND asked.day >= rates.day UNION ALL "
            "SELECT filename, CAST(to_json([asked.product_id, asked.unit, rule]) AS VARCHAR) FROM asked "
            f"JOIN {RULES} AS rules ON asked.product_id = rules.product_id AND asked.unit = rules.unit) "
            "SELECT filename, bit_xor(md5_number_lower(what)) FROM found GROUP BY filename"
        )
    )
    return {name: f"{rows[str(file)]:016x}" if str(file) in rows else "" for name, file in asked.items()}
