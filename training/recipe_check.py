"""What a recipe's exports would give if they were ingested: read from a sample, nothing is written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from features.alike import check_likeness
from features.casts import local_day
from features.channels import Export, files_of, read_export
from features.engine import Engine, engine_in, told
from features.errors import OneBasketError, RecipeError
from features.expressions import literal, quoted, scalar
from features.joins import joined, read_joins
from features.judging import REASON, Door, judged
from features.sources import Intake, Source
from features.tables import SOURCE_TABLES
from features.units import unit_rules
from features.zones import USUAL_DAYS, to_local
from training.recipe_words import role_of

SAMPLE_ROWS = 200_000
Level = Literal["broken", "check", "better"]
MOST_REFUSED, MANY_REFUSED = 0.5, 0.02  # shares of rows: above the first a source is broken, above the second odd
NIGHT_SHARE = 0.3  # of the sales; more between 1 and 5 o'clock is hardly a shop's local time
SHOWN = 5
NEAR_UTC = {"GB", "IS", "IE", "PT", "GH"}  # countries where UTC is not far from the shops' time
WORTH = {
    "catalog": "products get names, filters by category and brand, similar products, better forecasts of slow sellers",
    "stock": "order proposals are net of what is there, and days without stock are not read as days without demand",
    "plans": "planned promotions count ahead, from the day they were known",
    "supply_terms": "lead time, pack, minimum and service level per product instead of the defaults",
    "locations": "shops get names and regions",
    "calendar": "your own closing days and events beside public holidays",
    "identity_links": "accounts of several channels become one customer",
    "consents": "opt-outs and erasures are honoured",
    "prices": "forecasts know the shelf price on days without a sale",
    "weather": "forecasts of what depends on the weather get better",
}
WORTH_MAPPING = {
    "source_line_id": "the same line fed twice counts once, and a corrected line replaces the old one",
    "channel_customer_id": "without it there are no personal recommendations",
    "location_id": "without it all shops are one",
    "net_amount": "revenue, prices and rankings by value",
    "discount_amount": "forecasts tell a discount from demand",
    "unit": "weights and dozens are counted alike",
    "status": "cancelled orders are kept apart",
    "channel": "recommendations and reports by channel",
    "returns_order_id": "returns find their purchase",
}


@dataclass(frozen=True)
class Finding:
    """One thing to know about a recipe: `broken` stops an ingest or ruins it, `check` is odd, `better` is missing."""

    level: Level
    place: str
    text: str


@dataclass
class Checked:
    """What was found; per source the rows read and the refused ones by reason."""

    findings: list[Finding] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        return not any(finding.level == "broken" for finding in self.findings)

    def note(self, level: Level, place: str, text: str) -> None:
        self.findings.append(Finding(level, place, text))

    def as_json(self) -> dict[str, Any]:
        return {
            "sound": self.sound,
            "findings": [asdict(finding) for finding in self.findings],
            "sources": self.sources,
        }


def check_recipe(intake: Intake, sample_rows: int = SAMPLE_ROWS) -> Checked:
    """Judge a sample of every source as an ingest would."""
    found = Checked()
    _missing(intake, found)
    with TemporaryDirectory(prefix="onebasket-check-") as folder, engine_in(_scratch(folder)) as engine:
        door = Door(engine, intake, tables={})
        first = ("product_units", "exchange_rates")
        for name in sorted(intake.sources, key=lambda name: intake.sources[name].table not in first):
            try:
                _check_source(door, name, found, sample_rows)
            except OneBasketError as fault:
                found.note("broken", f"sources.{name}", str(fault))
    return found


def _scratch(folder: str) -> Path:
    scratch = Path(folder) / "scratch"  # which the engine removes
    scratch.mkdir()
    return scratch


def _missing(intake: Intake, found: Checked) -> None:
    given = {source.table for source in intake.sources.values()}
    for table, worth in WORTH.items():
        many = len(intake.of_table("order_lines")) > 1
        if table not in given and (table != "identity_links" or many):
            found.note("better", table, f"no source fills it; with it {worth}")
    retailer = intake.retailer
    if retailer.time_zone == "UTC" and retailer.country not in NEAR_UTC:
        found.note("check", "retailer.time_zone", "is UTC: the zone of the shops decides the day of a sale")
    if not retailer.country:
        found.note("better", "retailer.country", "with it forecasts know the public holidays")
    if not retailer.currency:
        found.note("better", "retailer.currency", "with it amounts are shown in their currency")
    try:
        check_likeness(intake)
    except RecipeError as fault:
        found.note("broken", "identity.probabilistic", str(fault))


def _check_source(door: Door, name: str, found: Checked, sample_rows: int) -> None:
    source, engine = door.intake.sources[name], door.engine
    sample = _sample(door, name, sample_rows)
    with told(f"sources.{name}"):
        rows = engine.keep(f"checked_{name}", judged(door, name, sample))
    if source.table in {"product_units", "exchange_rates"} and door.tables is not None:
        good = rows.filter(rows[REASON].isnull()).select(*SOURCE_TABLES[source.table].column_names)
        before = door.tables.get(source.table)
        door.tables[source.table] = good if before is None else before.union(good)
    _reasons(engine, name, found, len(sample.broken))
    _unmapped(source, name, sample.columns, found)
    _values(engine, source, name, sample.columns, found)
    if source.table == "order_lines":
        _oddities(door, name, found)


def _sample(door: Door, name: str, sample_rows: int) -> Export:
    """The first rows of the first, the middle and the last of the source's files, in the table sample_<name>."""
    source, engine, folder = door.intake.sources[name], door.engine, door.intake.folder
    files = files_of(source.path, folder, name)
    picked = list(dict.fromkeys((files[0], files[len(files) // 2], files[-1])))
    besides = read_joins(engine, name, source, folder)
    exports = []
    for number, file in enumerate(picked):
        export = joined(name, read_export(engine, name, source, file, numbered=False), besides)
        with told(f"sources.{name}: cannot read {file}"):
            engine.keep(f"part_{name}_{number}", export.table.limit(sample_rows // len(picked)))
        exports.append(export)
    parts = (f"SELECT * FROM {quoted(f'part_{name}_{number}')}" for number in range(len(exports)))
    with told(f"sources.{name}: the files of {source.path} do not fit together"):
        engine.run(f"CREATE OR REPLACE VIEW {quoted(f'sample_{name}')} AS {' UNION ALL BY NAME '.join(parts)}")
    columns = tuple(dict.fromkeys(column for export in exports for column in export.columns))
    broken = tuple(line for export in exports for line in export.broken)
    return Export(engine.ibis.table(f"sample_{name}"), columns, exports[0].file, broken)


def _reasons(engine: Engine, name: str, found: Checked, broken: int) -> None:
    tally = engine.rows(f"SELECT {REASON}, count(*) FROM {quoted(f'checked_{name}')} GROUP BY 1 ORDER BY 2 DESC, 1")
    rows = sum(count for _, count in tally) + broken
    refused = {reason: count for reason, count in tally if reason is not None}
    if broken:
        refused["cannot be split into its fields"] = broken
    share = sum(refused.values()) / rows if rows else 0.0
    found.sources[name] = {"rows": rows, "refused": refused, "refused_share": round(share, 4)}
    told_of = "; ".join(f"{reason} ({count / rows:.1%})" for reason, count in list(refused.items())[:SHOWN])
    if rows == 0:
        found.note("broken", f"sources.{name}", "the export has no rows")
    elif share > MOST_REFUSED:
        found.note("broken", f"sources.{name}", f"{share:.0%} of the rows would go to the quarantine: {told_of}")
    elif refused:
        level: Level = "check" if share > MANY_REFUSED else "better"
        found.note(level, f"sources.{name}", f"{share:.1%} of the rows would go to the quarantine: {told_of}")


def _unmapped(source: Source, name: str, columns: tuple[str, ...], found: Checked) -> None:
    if source.table != "order_lines":
        return
    used = " ".join(source.columns.values())
    for column, worth in WORTH_MAPPING.items():
        if column in source.columns:
            continue
        likely = [each for each in columns if each not in used and (role_of(each) or ("", 0))[0] == column]
        hint = f"; is it {likely[0]!r}?" if likely else ""
        found.note("check" if likely else "better", f"sources.{name}.columns.{column}", f"not mapped: {worth}{hint}")


def _values(engine: Engine, source: Source, name: str, columns: tuple[str, ...], found: Checked) -> None:
    for column, meanings in source.values.items():
        given = scalar(source.columns[column], columns, f"sources.{name}.columns.{column}").sql
        known = ", ".join(map(literal, meanings))
        rows = engine.rows(
            f"SELECT value, count(*) FROM (SELECT CAST({given} AS VARCHAR) AS value FROM {quoted(f'sample_{name}')}) "
            f"WHERE value <> '' AND value NOT IN ({known}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SHOWN}"
        )
        if rows:
            listed = ", ".join(f"{value!r} ({count:,})" for value, count in rows)
            found.note("check", f"sources.{name}.values.{column}", f"says nothing of {listed}: add them")


def _oddities(door: Door, name: str, found: Checked) -> None:
    source, engine = door.intake.sources[name], door.engine
    place, good = f"sources.{name}", f"FROM {quoted(f'checked_{name}')} WHERE {REASON} IS NULL"
    rows, negative, anonymous, free, at_midnight, night = engine.rows(
        f"SELECT count(*), count(*) FILTER (quantity < 0), count(*) FILTER (channel_customer_id IS NULL), "
        f"count(*) FILTER (net_amount = 0), count(*) FILTER (clock = TIME '00:00:00'), "
        f"count(*) FILTER (clock BETWEEN TIME '01:00:00' AND TIME '04:59:59') FROM (SELECT *, "
        f"CAST({_local(door)} AS TIME) AS clock {good})"
    )[0]
    if not rows:
        return
    if "source_line_id" in source.columns:
        _line_ids(engine, place, good, rows, found)
    if not negative and "status" not in source.columns:
        found.note("check", f"{place}.columns.quantity", "never negative: how do returns appear in this export?")
    if anonymous == rows and "channel_customer_id" in source.columns:
        found.note("check", f"{place}.columns.channel_customer_id", "is always empty")
    if free > rows / 5:
        found.note("check", f"{place}.columns.net_amount", f"is zero in {free / rows:.0%} of the lines")
    if at_midnight == rows:
        found.note("check", f"{place}.columns.ordered_at", "has no time of day: read as midnight in the source's zone")
    elif night > NIGHT_SHARE * rows:
        found.note("check", f"{place}.time_zone", f"{night / rows:.0%} of the sales lie between 1 and 5 o'clock: "
                   "are the timestamps in another zone?")  # fmt: skip
    if "unit" in source.columns:
        _units(door, name, found, good)
    days = engine.rows(f"SELECT min({_day(door)}), max({_day(door)}) {good}")[0]
    found.sources[name] |= {"first_day": str(days[0]), "last_day": str(days[1])}


def _line_ids(engine: Engine, place: str, good: str, rows: int, found: Checked) -> None:
    """Lines with one id are versions of one line, of which one counts."""
    again = rows - engine.rows(f"SELECT count(DISTINCT coalesce(source_line_id, '')) {good}")[0][0]
    if again > 0:
        level: Level = "broken" if again > rows / 10 else "check"
        found.note(level, f"{place}.columns.source_line_id", f"{again:,} of {rows:,} lines have the number of another "
                   "and would replace it: where it begins anew in every order, put the order's before it")  # fmt: skip


def _local(door: Door) -> str:
    return to_local("ordered_at", door.intake.retailer.time_zone, USUAL_DAYS)


def _day(door: Door) -> str:
    return local_day("ordered_at", door.intake.retailer.time_zone)


def _units(door: Door, name: str, found: Checked, good: str) -> None:
    known = {rule.unit for rule in unit_rules(door.intake.units).values()}
    known |= {row["to_unit"] for row in door.rows("product_units")}
    rows = door.engine.rows(f"SELECT unit, count(*) {good} GROUP BY 1 ORDER BY 2 DESC, 1")
    unknown = [f"{unit!r} ({count:,})" for unit, count in rows if unit not in known][:SHOWN]
    if unknown:
        found.note("check", f"sources.{name}.columns.unit", f"{', '.join(unknown)} stay units of their own: say under "
                   "[units] what they are counted in, or give product_units")  # fmt: skip


def findings_in_order(found: Checked) -> Iterator[Finding]:
    """The gravest first."""
    for level in ("broken", "check", "better"):
        yield from (finding for finding in found.findings if finding.level == level)
