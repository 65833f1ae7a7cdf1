"""Ingest at chain size: a till's export of many lines, beside the raw floor on the same file, and one more day.

The export is made up by DuckDB: a year of receipts of one to five lines in 200 shops, two fifths with a member card,
one line in a hundred brought back with its receipt's number.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from features.expressions import literal

SIZES = (10_000_000, 50_000_000, 100_000_000)
DAYS = 365
START = "TIMESTAMP '2024-01-01 00:00:00'"
COLUMNS = "receipt, line, card, product, shop, sold_at, quantity, paid, of_receipt"
RECIPE = """
[retailer]
name = "bench"
time_zone = "Asia/Shanghai"
currency = "CNY"
country = "CN"

[sources.till]
table = "order_lines"
path = "till-*.csv"

[sources.till.columns]
source_line_id = "receipt || '-' || line"
order_id = "receipt"
channel_customer_id = "card"
product_id = "product"
location_id = "shop"
quantity = "quantity"
net_amount = "paid"
ordered_at = "sold_at"
returns_order_id = "of_receipt"
"""
# Reading, casting, sorting and writing the same columns, no more.
FLOOR = """
import os, sys, duckdb
source, target, scratch = sys.argv[1:4]
limit = os.environ.get("ONEBASKET_MEMORY", "1500MB")
engine = duckdb.connect(config={"memory_limit": limit, "temp_directory": scratch})
engine.execute("COPY (SELECT receipt, line::INTEGER AS line, card, product, shop, sold_at::TIMESTAMP AS sold_at, "
               "quantity::DECIMAL(18, 4) AS quantity, paid::DECIMAL(18, 4) AS paid, of_receipt "
               f"FROM read_csv('{source}', all_varchar = true) ORDER BY sold_at, receipt, line) "
               f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
"""


def write_till(folder: Path, lines: int) -> None:
    """Write till-2024.csv with `lines` lines over a year, and aside.csv with the day after it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE, "utf-8")
    a_day = lines // DAYS
    _write(folder / "till-2024.csv", 0, lines, lines)
    _write(folder / "aside.csv", lines, lines + a_day, lines)


def _write(file: Path, first: int, last: int, lines: int) -> None:
    """Lines `first` to `last` of an endless till that has `lines` lines a year; numbers drawn by hashing."""
    # three lines a receipt; a line that comes back is a receipt of its own, some days after the one that it names
    then = f"(i - {10 * lines // DAYS})"  # the line that is brought back ten days later
    back = f"i > {10 * lines // DAYS} AND hash(i, 7) % 100 = 0 AND hash({then}, 7) % 100 <> 0"
    which = f"CASE WHEN {back} THEN {then} ELSE i END"
    receipt = f"CASE WHEN {back} THEN 'B' || i ELSE 'R' || (i // 3) END"
    named = f"CASE WHEN {back} THEN 'R' || ({then} // 3) END"
    product = f"'P' || CAST(floor(30000 * pow((hash({which}, 1) % 1000000) / 1000000.0, 2.5)) AS INTEGER)"
    query = f"""
        SELECT {receipt} AS receipt, i % 3 + 1 AS line,
            CASE WHEN hash(i // 3) % 10 < 4 THEN 'M' || (hash(i // 3, 2) % {max(lines // 100, 1000)}) END AS card,
            {product} AS product, 'S' || (hash(i // 3, 3) % 200) AS shop,
            strftime({START} + to_microseconds((i // 3 * 3 * {86_400_000_000 * DAYS // lines})::BIGINT),
                     '%Y-%m-%d %H:%M:%S') AS sold_at,
            CASE WHEN {back} THEN -1 ELSE hash(i, 4) % 4 + 1 END AS quantity,
            CASE WHEN {back} THEN -1 ELSE hash(i, 4) % 4 + 1 END
                * (hash({product}) % 5000 / 100.0)::DECIMAL(18, 2) AS paid,
            {named} AS of_receipt
        FROM range({first}, {last}) AS every(i)"""
    with duckdb.connect() as engine:
        engine.execute(f"COPY ({query}) TO {literal(str(file))} (HEADER)")


def measure(lines: int, work: Path) -> dict[str, Any]:
    """Seconds, CPU-seconds and peak memory of the floor, of an ingest of `lines` lines, and of one more day."""
    folder, workspace = work / f"till-{lines}", work / f"workspace-{lines}"
    write_till(folder, lines)
    (work / "spill").mkdir(exist_ok=True)
    source, target = str(folder / "till-2024.csv"), str(work / "floor.parquet")
    floor = measured(["-c", FLOOR, source, target, str(work / "spill")])
    Path(target).unlink()
    command = ["-m", "training.cli", "ingest", "--recipe", str(folder / "recipe.toml"), "--workspace", str(workspace)]
    whole = measured(command)
    (folder / "aside.csv").rename(folder / "till-2025-01-01.csv")
    more = measured(command)
    facts = json.loads((workspace / "history").joinpath(_current(workspace), "snapshot.json").read_text("utf-8"))
    till = facts["sources"]["till"]
    if till["kept"] != lines + lines // DAYS:
        raise SystemExit(f"{till} does not add up to {lines} lines and a day")
    return {
        "lines": lines, "floor": floor, "ingest": whole, "one_more_day": more,
        "times_the_floor": round(whole["seconds"] / floor["seconds"], 2),
        "day_share": round(more["seconds"] / whole["seconds"], 4),
        "returns_matched": _returns(workspace),
    }  # fmt: skip


def _current(workspace: Path) -> str:
    return (workspace / "history" / "CURRENT").read_text("utf-8").strip()


def _returns(workspace: Path) -> float:
    files = workspace / "history" / _current(workspace) / "returns" / "**" / "*.parquet"
    found = duckdb.sql(
        "SELECT count(*) FILTER (matched_by <> 'unmatched') / count(*) FROM read_parquet(" + literal(str(files)) + ")"
    ).fetchone()
    return round(found[0], 4) if found else 0.0


def measured(command: list[str]) -> dict[str, float]:
    """Seconds, CPU-seconds and peak memory (MiB) of a Python process run to its end."""
    import resource

    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    watched = "import resource,subprocess,sys;c=subprocess.run([sys.executable,*sys.argv[1:]]).returncode;" \
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);sys.exit(c)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", watched, *command], check=True, capture_output=True, text=True)  # noqa: S603  # our own commands
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - began, 1), "cpu_seconds": round(cpu, 1),
            "peak_mib": round(int(done.stdout.split()[-1]) / 1024)}  # fmt: skip
