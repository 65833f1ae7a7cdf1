"""Ingest: every export of a recipe into one immutable snapshot of the workspace, redoing only what changed."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.alike import check_likeness
from features.calendar import public_calendar
from features.decisions import decisions_hash
from features.described import described, named
from features.engine import Engine, engine_in, told
from features.errors import SourceError, TableError, WorkspaceError
from features.expressions import every_parquet, file_literal
from features.identity import account_sql
from features.judging import Door
from features.keyed_hash import has_key, identity_key, key_fingerprint
from features.landed import Landed
from features.landing import DAY_OF, Landing, mapping_of
from features.ledger import FOLDER, HISTORY_FORM, Ledger, content_hashes, content_of_all, landed_before
from features.lines import Lines
from features.partitions import Form, Layout, Partitioned, link
from features.progress import Progress, silent
from features.quarantine import write_quarantine
from features.rebuild import Rebuild
from features.rule_digests import HELPING
from features.sources import Intake
from features.tables import SOURCE_TABLES, Table
from features.twin_search import HEADERS
from features.versions import Versions
from features.visits import VISITS
from features.who import Who
from features.workspace import UNFINISHED, Snapshot, Workspace, finish
from features.writing import write_table

CALENDAR_AHEAD_DAYS = 400
SNAPSHOT_FACTS = "snapshot.json"


def ingest(
    intake: Intake, workspace: Workspace, progress: Progress = silent, *, latest_day: date | None = None
) -> Snapshot:
    """Read what is new in the sources of `intake` and publish the result as the workspace's current snapshot.

    Files read before are not read again; a file delivered again under its name replaces what it said before. Where
    nothing changed, the current snapshot stays. Rows dated after `latest_day` go to the quarantine; without it
    every date from the recipe's oldest_day on is believed. The same files give the same bytes, in whatever order
    and portions they came. Raises SourceError, RecipeError, WorkspaceError or WorkspaceBusy, and then the
    workspace's snapshot is as it was.
    """
    with workspace.writing("ingest"), told(f"the workspace {workspace.folder}", WorkspaceError):
        scratch = workspace.unfinished("scratch", "ingest")
        with engine_in(scratch) as engine:
            return _Ingest(engine, intake, workspace, progress, latest_day).run()


class _Ingest:
    """One ingest under way."""

    def __init__(
        self, engine: Engine, intake: Intake, workspace: Workspace, progress: Progress, latest_day: date | None
    ) -> None:
        self.engine, self.intake, self.workspace, self.progress = engine, intake, workspace, progress
        self.helping: dict[str, Any] = {}
        self.door = Door(engine, intake, latest_day, self.helping)
        self.current = workspace.current()
        former = Ledger.open(self.current)
        self.ledger = Ledger(made_by=_made_by(intake), decided=decisions_hash(workspace))
        # What an earlier ingest landed is of use under any settings; what it unified only under the same.
        self.former = former if former is not None and former.made_by == self.ledger.made_by else None
        self.landed_before = former.landed if former is not None else landed_before(workspace)
        self.joins_before = former.joins if former is not None else {}
        self.dropped: dict[str, int] = {}

    def run(self) -> Snapshot:
        if any(column.kind == "secret" for source in self.intake.sources.values()
               for column in SOURCE_TABLES[source.table].columns):  # fmt: skip
            identity_key()  # told before anything is read
        check_likeness(self.intake)
        self._land()
        if self._nothing_changed():
            assert self.current is not None
            return self.current
        self._start()
        versions = self._versions()
        who = self._who()
        lines = Lines(self.engine, self.intake, self.workspace, self.ledger.landed)
        rebuild = Rebuild(self.engine, lines, self.ledger, self.former, self.folder, self.before)
        if self._of_table("bundles"):
            described(self.engine, self.workspace, SOURCE_TABLES["bundles"], self._of_table("bundles"),
                      list(self.intake.sources))  # fmt: skip
            rebuild.bundles = self.engine.ibis.table(named("bundles"))
        touched = self._touched_days(versions) | self._erased_days()
        self._write_bulk("plans")
        self._write_bulk("stock")
        rebuild.run(touched, self._moved_days(), "twin_links" if who.has_links else None, self.progress)
        self._write_described(rebuild)
        written = who.write(self.folder, rebuild.seen(), rebuild.receipts(), self.last)
        self.ledger.rows |= {table: {"part.parquet": rows} for table, rows in written.items()}
        self._write_facts(versions)
        return self._publish()

    def _start(self) -> None:
        """Open what was made before, unless everything has to be made anew."""
        if any(self._came_or_went("bundles")):
            self.former = None  # bundles lie in every line
        self.number = _next_number(self.workspace)
        self.folder = self.workspace.unfinished("history", self.number)
        self.before = self.current.folder if self.current is not None and self.former is not None else None
        (self.folder / FOLDER).mkdir()

    def _land(self) -> None:
        landing = Landing(self.door, self.workspace, self.landed_before, self.joins_before)
        order = sorted(self.intake.sources, key=lambda name: self.intake.sources[name].table not in HELPING)
        with self.progress.step("read exports", landing.count_files(order)) as step:
            for name in order:
                if self.intake.sources[name].table not in HELPING and not landing.lookups.knows_rules:
                    landing.lookups.open_rules([landed for table in HELPING for landed in self._of_table(table)])
                self.ledger.landed += landing.land(name, self._mapping(name), step)
                self._open_helping(name)
        self.ledger.joins = landing.lookups.joins
        self.ledger.landed.sort(key=lambda landed: (list(self.intake.sources).index(landed.source), landed.name))
        if not any(landed.kept for landed in self._of_table("order_lines")):
            raise _no_purchases(self.ledger, list(self.intake.of_table("order_lines")))

    def _mapping(self, name: str) -> str:
        """Everything that decides how the rows of a source are read, but what they find elsewhere (see landing.py)."""
        source = self.intake.sources[name]
        settings = source.model_dump(mode="json", exclude={"path", "identical_lines"})
        settings |= self.intake.model_dump(mode="json", include={"retailer", "units", "oldest_day"})
        key = key_fingerprint() if has_key() else ""
        # of equal numbers lines are told to be the same: another engine's would not fit
        number = str(self.engine.rows("SELECT hash('onebasket')")[0][0])
        return mapping_of(settings, str(SOURCE_TABLES[source.table]), key, number)

    def _open_helping(self, name: str) -> None:
        """Lay a table that others are mapped with on the door, once its last source is read."""
        table = self.intake.sources[name].table
        if table in HELPING:
            described(self.engine, self.workspace, SOURCE_TABLES[table], self._of_table(table),
                      list(self.intake.sources))  # fmt: skip
            self.helping[table] = self.engine.ibis.table(named(table))

    def _of_table(self, table: str) -> list[Landed]:
        return [landed for landed in self.ledger.landed if self.intake.sources[landed.source].table == table]

    def _nothing_changed(self) -> bool:
        if self.former is None or self.current is None or self.former.decided != self.ledger.decided:
            return False
        if self.current.facts["recipe"] != self._recipe():
            return False
        same = [(one.source, one.name, one.id) for one in self.former.landed]
        return same == [(one.source, one.name, one.id) for one in self.ledger.landed]

    def _recipe(self) -> dict[str, Any]:
        """The recipe as it is stored with the snapshot: models are trained by what stands there."""
        return self.intake.model_dump(mode="json", exclude={"folder"})

    def _came_or_went(self, table: str) -> tuple[list[Landed], list[Landed]]:
        """Files of a table that are new since the former snapshot, and those that are no longer part of it.

        A file under another name is another file: which of two versions counts goes by the name.
        """
        former = [] if self.former is None else [
            one for one in self.former.landed
            if one.source in self.intake.sources and self.intake.sources[one.source].table == table
        ]  # fmt: skip
        now = self._of_table(table)
        old, new = {(one.source, one.name, one.id) for one in former}, {(one.source, one.name, one.id) for one in now}
        came = [one for one in now if (one.source, one.name, one.id) not in old]
        return came, [one for one in former if (one.source, one.name, one.id) not in new]

    def _losers_before(self) -> Path | None:
        return self.before / FOLDER / "losers.parquet" if self.before is not None else None

    def _versions(self) -> Versions:
        versions = Versions(self.engine, self.intake, self.workspace)
        came, went = self._came_or_went("order_lines")
        for source in self.intake.of_table("order_lines"):
            changed = [one for one in (*came, *went) if one.source == source]
            versions.decide(source, self.ledger.of(source), changed, self._losers_before())
        versions.write(self.folder / FOLDER / "losers.parquet")
        return versions

    def _touched_days(self, versions: Versions) -> set[date]:
        """Days whose order lines are others than before."""
        if self.former is None:
            return set(self.ledger.lines(self.intake.of_table("order_lines")))
        came, went = self._came_or_went("order_lines")
        days = {date.fromisoformat(day) for one in (*came, *went) for day in one.days}
        return days | versions.changed_days(self._losers_before())

    def _who(self) -> Who:
        """Open what is known of people, and who of them is to be forgotten."""
        who = Who(self.engine, self.intake, self.workspace)
        given = {table: bool(self._of_table(table)) for table in ("identity_links", "consents")}
        for table in (table for table, found in given.items() if found):
            described(self.engine, self.workspace, SOURCE_TABLES[table], self._of_table(table),
                      list(self.intake.sources))  # fmt: skip
        who.learn(given["identity_links"], given["consents"])
        who.linked_before(self.before, self.folder)
        return who

    def _erased_days(self) -> set[date]:
        """Days on which accounts that are to be forgotten ordered, in the snapshot before; all where a wish is gone."""
        erased = self.engine.rows("SELECT DISTINCT md5(account_id) FROM erased_accounts ORDER BY 1")
        self.ledger.erased = [row[0] for row in erased]
        if self.former is None or self.before is None:
            return set()
        if set(self.former.erased) - set(self.ledger.erased):
            return set(self.ledger.lines(self.intake.of_table("order_lines")))
        days: set[date] = set()
        for folder in (self.before / VISITS, self.before / HEADERS):
            if any(folder.rglob("*.parquet")):
                rows = self.engine.rows(
                    f"SELECT DISTINCT day FROM read_parquet({every_parquet(folder)}, hive_partitioning = false) "
                    "WHERE account_id IN (SELECT account_id FROM erased_accounts)"
                )
                days |= {row[0] for row in rows}
        return days

    def _moved_days(self) -> set[date]:
        """Days of which stock or plans say something else than before."""
        days: set[date] = set()
        if self.former is None:
            return days
        for table in ("stock", "plans"):
            now, before = (any(one.kept for one in ledger.landed if self._is_of(one, table))
                           for ledger in (self.ledger, self.former))  # fmt: skip
            if now != before:  # nobody knew a promotion, and now everybody does
                return set(self.ledger.lines(self.intake.of_table("order_lines")))
            for one in (*self._came_or_went(table)[0], *self._came_or_went(table)[1]):
                days |= self._days_told(table, one)
        return days

    def _is_of(self, one: Landed, table: str) -> bool:
        return one.source in self.intake.sources and self.intake.sources[one.source].table == table

    def _days_told(self, table: str, one: Landed) -> set[date]:
        if table == "stock":
            return {date.fromisoformat(day) for day in one.days}
        file = file_literal(one.parquet(self.workspace))
        rows = self.engine.rows(
            "SELECT DISTINCT unnest(generate_series(starts_on, least(ends_on, starts_on + 3660), INTERVAL 1 "
            "DAY))::DATE "
            f"FROM read_parquet({file}) WHERE onebasket_reason IS NULL"
        )
        return {row[0] for row in rows}

    def _write_bulk(self, table: str) -> None:
        """Write a table by months: those that a file which came or went has rows of, the others linked."""
        landed = self._of_table(table)
        if not landed:
            return
        lines = self.ledger.lines(self.intake.of_table(table))
        form = Form(frozenset())
        came, went = self._came_or_went(table)
        days = (
            set(lines)
            if self.former is None
            else {date.fromisoformat(day) for one in (*came, *went) for day in one.days}
        )
        parts = Partitioned(self.engine, self.folder, self.before, form, form, rows=self.ledger.rows)
        day, spec = DAY_OF[table], SOURCE_TABLES[table]
        dropped = self.ledger.dropped.setdefault(table, {})
        for first, last in form.partitions(days):
            inside = [one for one in landed if any(str(first) <= when <= str(last) for when in one.days)]
            if not inside:
                continue  # its rows went with their file
            found = described(self.engine, self.workspace, spec, inside, list(self.intake.sources),
                              f"{day} BETWEEN DATE '{first}' AND DATE '{last}'")  # fmt: skip
            parts.write(table, named(table), [first], Layout([day, "location_id", "product_id"], day))
            dropped[form.file(first)] = found.dropped
        if self.former is not None:
            parts.link(table, days, self.former.rows.get(table, {}))
            dropped |= {
                name: of for name, of in self.former.dropped.get(table, {}).items()
                if name not in dropped and name in self.ledger.rows.get(table, {})
            }  # fmt: skip
        for of in dropped.values():
            for source, count in of.items():
                self.dropped[source] = self.dropped.get(source, 0) + count
        self._check_sum(table)

    def _check_sum(self, table: str) -> None:
        """No row may be lost or doubled on the way: what is written is what the sources' counts say."""
        landed = self._of_table(table)
        sources = {one.source for one in landed}
        kept = sum(one.kept for one in landed) - sum(self.dropped.get(source, 0) for source in sources)
        written = sum(self.ledger.rows.get(table, {}).values())
        if written != kept:
            raise TableError(
                f"{table}: {kept} rows were kept but {written} written: report this with the recipe, it is a fault"
            )

    def _write_described(self, rebuild: Rebuild) -> None:
        written = [table for table in SOURCE_TABLES.values() if table.name not in {"order_lines", "plans", "stock"}]
        with self.progress.step("write tables", len(written)) as step:
            for table in written:
                self._write_one(table)
                step.advance()
        first, last = rebuild.days()
        self._write_locations(rebuild.places())
        self._write_calendar(first, last)

    def _write_one(self, table: Table) -> None:
        landed = self._of_table(table.name)
        if not landed:
            return
        found = described(self.engine, self.workspace, table, landed, list(self.intake.sources))
        self.dropped |= found.dropped
        if table.name in {"locations", "calendar"}:
            return
        if "channel_customer_id" in table.column_names and table.name != "consents":
            self._table(table.name, self._of_nobody_erased(named(table.name)), list(table.key))
            return
        came, went = self._came_or_went(table.name)
        if self.before is not None and self.former is not None and not came and not went:
            link(self.before / table.name / "part.parquet", self.folder / table.name / "part.parquet")
            self.ledger.rows[table.name] = self.former.rows[table.name]
        else:
            self._table(table.name, self.engine.ibis.table(named(table.name)), list(table.key))
        self._check_sum(table.name)

    def _of_nobody_erased(self, view: str) -> Any:
        """The rows of a table that names accounts, without those of accounts that are to be forgotten."""
        names = [account_sql(self.intake.identity)]
        if "customer_id" in self.engine.ibis.table(view).columns:
            names.append("rows.customer_id")  # a customer goes by one of its accounts
        where = " AND ".join(f"NOT EXISTS (SELECT 1 FROM erased_accounts WHERE account_id = {name})" for name in names)
        self.engine.run(f"CREATE OR REPLACE TEMP VIEW {view}_kept AS SELECT * FROM {view} AS rows WHERE {where}")
        return self.engine.ibis.table(f"{view}_kept")

    def _table(self, table: str, rows: Any, order: list[str]) -> None:
        count = write_table(self.engine, rows, self.folder / table, order)
        self.ledger.rows[table] = {"part.parquet": count}

    def _write_locations(self, seen: list[str]) -> None:
        """The locations given, and those that only purchases name."""
        self.engine.ibis.create_table("seen_locations", pa.table({"location_id": pa.array(seen, pa.string())}))
        bare = self.engine.ibis.table("seen_locations")
        bare = bare.mutate(name=_no_text(), kind=_text("store"), region=_no_text())
        given = self.engine.ibis.table(named("locations")) if self._of_table("locations") else None
        rows = bare if given is None else given.union(bare.anti_join(given, "location_id"))
        self._table("locations", rows, ["location_id"])

    def _write_calendar(self, first: date, last: date) -> None:
        public = public_calendar(self.intake.retailer, first, last + timedelta(days=CALENDAR_AHEAD_DAYS))
        self.engine.ibis.create_table("public_calendar", public)
        rows = self.engine.ibis.table("public_calendar")
        given = self.engine.ibis.table(named("calendar")) if self._of_table("calendar") else None
        self._table("calendar", rows if given is None else given.union(rows.anti_join(given, ["region", "day"])),
                    ["region", "day"])  # fmt: skip
        self.first, self.last = first, last

    def _write_facts(self, versions: Versions) -> None:
        losers = versions.counts()
        sources = {}
        for name, source in self.intake.sources.items():
            landed = self.ledger.of(name)
            reasons: dict[str, int] = {}
            for one in landed:
                for reason, count in one.reasons.items():
                    reasons[reason] = reasons.get(reason, 0) + count
            read, quarantined = sum(one.rows for one in landed), sum(reasons.values())
            twice, replaced = losers.get(name, (self.dropped.get(name, 0), 0))
            sources[name] = {
                "table": source.table, "read": read, "kept": read - quarantined - twice, "quarantined": quarantined,
                "duplicates": twice, "replaced": replaced, "reasons": dict(sorted(reasons.items())),
            }  # fmt: skip
        facts = {
            "retailer": self.intake.retailer.model_dump(mode="json"),
            "currency": self.intake.retailer.currency,
            "recipe": self._recipe(),
            "first_day": self.first.isoformat(),
            "last_day": self.last.isoformat(),
            "sources": sources,
            "rows": {
                table: sum(parts.values())
                for table, parts in sorted(self.ledger.rows.items())
                if not table.startswith(FOLDER)
            },
        }
        (self.folder / SNAPSHOT_FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), "utf-8")

    def _publish(self) -> Snapshot:
        """Name the snapshot by its place in the sequence and its content; the quarantine goes first."""
        known = self.former.hashes if self.former is not None else {}
        self.ledger.hashes = content_hashes(self.folder, self.before, known)
        self.ledger.save(self.folder)
        version = f"{self.number}-{content_of_all(self.ledger.hashes)}"
        refused = self.workspace.unfinished("quarantine", version)
        for source in self.intake.sources:
            write_quarantine(self.engine, self.workspace, source, self.ledger.of(source), refused)
        finish(refused)
        return self.workspace.publish(self.folder.rename(self.folder.with_name(UNFINISHED + version)))


def _text(value: str) -> Any:
    import ibis

    return ibis.literal(value)


def _no_text() -> Any:
    import ibis

    return ibis.null("string")


def _made_by(intake: Intake) -> str:
    """A hash of the settings that decide how landed lines become tables."""
    settings = intake.model_dump(mode="json", include={"retailer", "identity", "orders"})
    settings["sources"] = [[name, source.table, source.identical_lines] for name, source in intake.sources.items()]
    return mapping_of(settings, str(HISTORY_FORM))


def _no_purchases(ledger: Ledger, sources: list[str]) -> SourceError:
    """The error of an ingest without a single usable purchase."""
    told_of = []
    for source in sources:
        landed = ledger.of(source)
        reasons: dict[str, int] = {}
        for one in landed:
            for reason, count in one.reasons.items():
                reasons[reason] = reasons.get(reason, 0) + count
        files = f"its {len(landed)} files have no rows" if len(landed) > 1 else "it has no rows"
        told_reasons = ", ".join(f"{reason} ({rows})" for reason, rows in reasons.items()) or files
        read = sum(one.rows for one in landed)
        told_of.append(f"sources.{source}: no purchase can be used of {read} rows read: {told_reasons}")
    return SourceError("; ".join(told_of) or "no source fills order_lines")


def _next_number(workspace: Workspace) -> str:
    folder = workspace.folder / "history"
    numbers = [int(path.name[:6]) for path in folder.glob("[0-9]*") if path.name[:6].isdigit()]
    return f"{max(numbers, default=0) + 1:06d}"
