"""Volume by channel and day, and days without sales where there usually are some."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from features.engine import Engine
from features.expressions import file_literal
from features.ledger import Ledger
from features.workspace import Snapshot

Figures = dict[str, Any]
BATCH_ROWS = 2_000_000
DAILY = "quality_daily"  # day, channel, location_id, lines, orders, units, amount, returned_units, returned_amount
IMPROBABLE = 0.01  # so few gaps as long are expected by chance in the whole history
CLOSED_DAYS = 28  # a location and channel silent for longer at the end of the history has closed
SHOWN_GAPS = 50
TICKS = 1e-9


def batches(snapshot: Snapshot, ledger: Ledger, table: str) -> Iterator[str]:
    """A partitioned table as relations of a bounded number of rows, in time order; no partition is in two."""
    group: list[str] = []
    size = 0
    for name, rows in sorted(ledger.rows.get(table, {}).items()):
        if group and size + rows > BATCH_ROWS:
            yield _relation(group)
            group, size = [], 0
        group.append(file_literal(snapshot.folder / table / name))
        size += rows
    if group:
        yield _relation(group)


def _relation(files: list[str]) -> str:
    return f"read_parquet([{', '.join(files)}], hive_partitioning = false)"


def daily_volume(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> None:
    """Make the table DAILY. An order has one day, so orders are counted batch by batch."""
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {DAILY} (day DATE, channel VARCHAR, location_id VARCHAR, lines BIGINT, "
        "orders BIGINT, units DECIMAL(38, 4), amount DECIMAL(38, 4), returned_units DECIMAL(38, 4), "
        "returned_amount DECIMAL(38, 4))"
    )
    for rows in batches(snapshot, ledger, "purchase_history"):
        sums = ", ".join(
            f"coalesce(sum({column}) FILTER ({sign}), 0)::DECIMAL(38, 4)"
            for sign, columns in (("net_units > 0", ("net_units", "net_amount")),
                                  ("net_units <= 0", ("-net_units", "-net_amount")))
            for column in columns
        )  # fmt: skip
        engine.run(
            f"INSERT INTO {DAILY} SELECT day, channel, location_id, count(*), count(DISTINCT order_id), {sums} "
            f"FROM {rows} GROUP BY day, channel, location_id"
        )


def volume(engine: Engine) -> Figures:
    """Lines, orders, units and money by channel, and by channel and day; what was returned stands beside."""
    sums = ("sum(lines)::BIGINT, sum(orders)::BIGINT, sum(units)::DOUBLE, sum(amount)::DOUBLE, "
            "sum(returned_units)::DOUBLE, sum(returned_amount)::DOUBLE")  # fmt: skip
    names = ("lines", "orders", "units", "amount", "returned_units", "returned_amount")
    by_channel = engine.rows(
        f"SELECT channel, min(day), max(day), {sums} FROM {DAILY} GROUP BY channel ORDER BY channel"
    )
    by_day = engine.rows(f"SELECT channel, day, {sums} FROM {DAILY} GROUP BY channel, day ORDER BY channel, day")
    days: dict[str, list[Figures]] = {}
    for channel, day, *figures in by_day:
        days.setdefault(channel, []).append({"day": str(day), **dict(zip(names, figures, strict=True))})
    return {
        "channels": [
            {"channel": channel, "first_day": str(first), "last_day": str(last),
             **dict(zip(names, figures, strict=True))}
            for channel, first, last, *figures in by_channel
        ],
        "days": days,
    }  # fmt: skip


def gaps(engine: Engine, last_day: date, closed: Iterable[date]) -> Figures:
    """Runs of days without a sale in a location and channel that are improbable, by how often it sells that weekday.

    A run counts where chance would bring less than IMPROBABLE such runs in the whole history. `closed` days are
    nobody's gap. A location and channel that is silent for more than CLOSED_DAYS at the end has ended.
    """
    shut = ", ".join(f"(DATE '{day}')" for day in sorted(closed)) or "(NULL::DATE)"
    engine.run(f"CREATE OR REPLACE TEMP TABLE quality_shut AS SELECT * FROM (VALUES {shut}) AS days(day)")
    engine.run(
        "CREATE OR REPLACE TEMP TABLE quality_sold AS SELECT DISTINCT location_id, channel, day "
        f"FROM {DAILY} WHERE units > 0"
    )
    engine.run(
        "CREATE OR REPLACE TEMP TABLE quality_spans AS "
        "SELECT location_id, channel, min(day) AS first, max(day) AS last, "
        f"CASE WHEN DATE '{last_day}' - max(day) <= {CLOSED_DAYS} THEN DATE '{last_day}' ELSE max(day) END AS until "
        "FROM quality_sold GROUP BY ALL"
    )
    series, ended = engine.rows("SELECT count(*), count(*) FILTER (until = last AND "
                                f"until < DATE '{last_day}') FROM quality_spans")[0]  # fmt: skip
    found = engine.rows(_runs())
    rows = [
        {"location_id": place, "channel": channel, "first_day": str(first), "last_day": str(last), "days": days}
        for place, channel, first, last, days in found
    ]
    return {
        "locations_and_channels": series, "ended": ended, "gaps": rows[:SHOWN_GAPS], "gaps_found": len(rows),
        "longest_days": max((row["days"] for row in rows), default=0),
    }  # fmt: skip


def _runs() -> str:
    """SQL of the improbable runs: location, channel, first and last day, days; the longest first."""
    return (
        "WITH shares AS (SELECT sold.location_id, sold.channel, isodow(sold.day) AS weekday, count(*) AS days "
        "FROM quality_sold AS sold GROUP BY ALL), "
        "silent AS (SELECT location_id, channel, day AS before, "
        "coalesce(lead(day) OVER (PARTITION BY location_id, channel ORDER BY day), until + 1) AS after, first, until "
        "FROM quality_sold JOIN quality_spans USING (location_id, channel)), "
        "days AS (SELECT location_id, channel, before, after, first, until, "
        "unnest(generate_series(before + 1, after - 1, INTERVAL 1 DAY))::DATE AS day FROM silent "
        "WHERE after > before + 1), "
        "missed AS (SELECT * FROM days WHERE day NOT IN (SELECT day FROM quality_shut WHERE day IS NOT NULL)), "
        "judged AS (SELECT missed.*, (coalesce(shares.days, 0) + 0.5) / ((until - first + 1) / 7 + 1) AS share "
        "FROM missed LEFT JOIN shares ON shares.location_id = missed.location_id "
        "AND shares.channel = missed.channel AND shares.weekday = isodow(missed.day)), "
        "runs AS (SELECT location_id, channel, min(day) AS first_day, max(day) AS last_day, count(*) AS days, "
        f"sum(ln(greatest(1 - least(share, 1), {TICKS}))) AS chance FROM judged "
        "GROUP BY location_id, channel, before), "
        "every AS (SELECT sum(until - first + 1) AS days FROM quality_spans) "
        "SELECT location_id, channel, first_day, last_day, runs.days FROM runs, every "
        f"WHERE chance + ln(every.days) < ln({IMPROBABLE}) ORDER BY runs.days DESC, first_day, location_id, channel"
    )


def stray_days(lines: dict[date, int]) -> list[Figures]:
    """Days with order lines that lie apart from the history: hardly any lines, a month away from the rest."""
    days = sorted(lines)
    total = sum(lines.values())
    groups: list[list[date]] = []
    for day in days:
        if groups and day - groups[-1][-1] <= timedelta(days=31):
            groups[-1].append(day)
        else:
            groups.append([day])
    few = [group for group in groups if sum(lines[day] for day in group) < total / 100]
    return [{"day": str(day), "lines": lines[day]} for group in few for day in group]
