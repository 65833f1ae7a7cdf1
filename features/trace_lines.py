"""The rows of landed files that an order was delivered in, and what became of each."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from features.channels.export import ROW
from features.engine import Engine
from features.expressions import file_literal, literal
from features.judging import REASON
from features.landed import Landed, alike
from features.landing import LANDED_ID
from features.ledger import FOLDER
from features.workspace import Snapshot, Workspace

Fate = Literal["kept", "replaced", "duplicate", "quarantined", "cancelled", "twin"]
LOSERS = f"{FOLDER}/losers.parquet"
READ = ("source_line_id", "order_id", "product_id", "location_id", "channel", "channel_customer_id", "quantity",
        "net_amount", "ordered_at", "day", "status")  # fmt: skip
ROUNDS = 3  # a line, what replaced it, and what else that replaced


@dataclass(frozen=True)
class Place:
    """A row of a delivered file: `row` counts from 0 on; `line` is its line in a text file, None where unknown."""

    source: str
    file: str
    row: int
    line: int | None

    def __str__(self) -> str:
        return f"{self.file} " + (f"line {self.line}" if self.line is not None else f"row {self.row}")


@dataclass(frozen=True)
class Version:
    """One delivered version of an order line: where it stands, what it says, and its fate.

    `because` is why it was quarantined, or how it is counted elsewhere; `by` is the row that counts in its stead.
    """

    at: Place
    line_id: str
    order_number: str | None
    product_id: str | None
    location_id: str | None
    channel: str | None
    channel_customer_id: str | None
    quantity: Decimal | None
    net_amount: Decimal | None
    ordered_at: datetime | None
    day: date | None
    fate: Fate
    because: str | None = None
    by: Place | None = None


Key = tuple[str, int]  # landed file, row


class LandedRows:
    """Looks up rows of the landed files of one source."""

    def __init__(self, engine: Engine, workspace: Workspace, snapshot: Snapshot, landed: Sequence[Landed]) -> None:
        self.engine, self.workspace, self.snapshot = engine, workspace, snapshot
        self.files = {one.id: one for one in landed}

    def of_order(self, number: str) -> dict[Key, dict[str, Any]]:
        """The rows that name an order, whatever became of them."""
        return self._read(self.files.values(), f"order_id = {literal(number)}")

    def at(self, keys: Collection[Key]) -> dict[Key, dict[str, Any]]:
        """The rows at given places."""
        found: dict[Key, dict[str, Any]] = {}
        for file in sorted({file for file, _ in keys if file in self.files}):
            one = self.files[file]
            rows = ", ".join(str(row) for name, row in sorted(keys) if name == file)
            found |= self._read([one], f"{ROW if one.numbered else 'file_row_number'} IN ({rows})")
        return found

    def _read(self, landed: Iterable[Landed], where: str) -> dict[Key, dict[str, Any]]:
        found: dict[Key, dict[str, Any]] = {}
        for numbered, filled, of_one in alike(landed):
            listed = ", ".join(file_literal(one.parquet(self.workspace)) for one in of_one)
            query = (
                f"SELECT {', '.join(READ)}, {REASON} AS reason, {LANDED_ID} AS file, "
                f"{ROW if numbered else 'file_row_number'} AS row FROM (SELECT *{filled} FROM "
                f"read_parquet([{listed}], filename = true, file_row_number = true, union_by_name = true, "
                f"hive_partitioning = false)) WHERE {where}"
            )
            for row in self.engine.run(query).to_arrow_table().to_pylist():
                found[(row.pop("file"), row.pop("row"))] = row
        return found

    def place(self, key: Key) -> Place:
        """Where a row stands, in the words of who delivered it."""
        one = self.files[key[0]]
        return Place(one.source, one.name, key[1], self._line(one, key[1]))

    def _line(self, one: Landed, row: int) -> int | None:
        if not one.first_line:
            return None
        line = one.first_line + row
        for broken in sorted(line["line"] for line in self.broken(one)):
            line += broken <= line
        return line

    def broken(self, one: Landed) -> list[dict[str, Any]]:
        """The lines of a file that are no rows: line, text, reason."""
        file = one.broken(self.workspace)
        if not file.is_file():
            return []
        lines: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
        return lines

    def losers(self, keys: Collection[Key]) -> dict[Key, tuple[Key, bool]]:
        """Rows that do not count, among `keys` or lost against one: which row counts, and whether it is equal."""
        if not keys:
            return {}
        listed = ", ".join(f"({literal(file)}, {row})" for file, row in sorted(keys))
        rows = self.engine.rows(
            f"WITH asked(file, row) AS (VALUES {listed}) SELECT file, row, by_file, by_row, same FROM "
            f"read_parquet({file_literal(self.snapshot.folder / LOSERS)}) AS losing WHERE EXISTS (SELECT 1 FROM asked "
            "WHERE (asked.file = losing.file AND asked.row = losing.row) OR "
            "(asked.file = losing.by_file AND asked.row = losing.by_row))"
        )
        known = {(file, row): ((by_file, by_row), same) for file, row, by_file, by_row, same in rows}
        return {key: found for key, found in known.items() if key[0] in self.files and found[0][0] in self.files}


def versions_of(rows: LandedRows, number: str, twins: Mapping[date, str]) -> list[Version]:
    """Every delivered version of the lines of an order, in the order of files and rows.

    Versions that name another order are among them where one replaced the other. `twins` are the days on which the
    order is counted under another, with that order's number.
    """
    found = rows.of_order(number)
    losers: dict[Key, tuple[Key, bool]] = {}
    for _ in range(ROUNDS):
        losers |= rows.losers([key for key, row in found.items() if row["reason"] is None])
        places = {*losers, *(winner for winner, _ in losers.values())}
        missing = places - set(found)
        if not missing:
            break
        found |= rows.at(missing)
    versions = [_version(rows, key, row, losers.get(key), number, twins) for key, row in found.items()]
    return sorted([*versions, *_broken(rows, number)], key=lambda one: (one.at.file, one.at.row, one.at.line or 0))


def _version(
    rows: LandedRows,
    key: Key,
    row: dict[str, Any],
    lost: tuple[Key, bool] | None,
    number: str,
    twins: Mapping[date, str],
) -> Version:
    fate, because = _fate(row, lost, twins)
    given = {name: row[name] for name in READ if name not in {"source_line_id", "order_id", "status"}}
    return Version(
        at=rows.place(key), line_id=row["source_line_id"] or f"{key[0]}#{key[1]}", order_number=row["order_id"],
        fate=fate, because=because, by=rows.place(lost[0]) if lost else None, **given,
    )  # fmt: skip


def _fate(row: dict[str, Any], lost: tuple[Key, bool] | None, twins: Mapping[date, str]) -> tuple[Fate, str | None]:
    if row["reason"] is not None:
        return "quarantined", row["reason"]
    if lost is not None:
        return ("duplicate", None) if lost[1] else ("replaced", None)
    if row["status"] == "cancelled":
        return "cancelled", None
    if row["day"] in twins:
        return "twin", f"counted as {twins[row['day']]}"
    return "kept", None


def _broken(rows: LandedRows, number: str) -> list[Version]:
    """Lines that are no rows and hold the number as a word."""
    found = []
    for one in rows.files.values():
        for line in rows.broken(one):
            if number in _words(line["text"]):
                at = Place(one.source, one.name, line["line"], line["line"])
                nothing = dict.fromkeys(name for name in READ if name not in {"source_line_id", "order_id", "status"})
                found.append(Version(at=at, line_id="", order_number=number, fate="quarantined",
                                     because=line["reason"], **nothing))  # fmt: skip
    return found


def _words(text: str) -> set[str]:
    for sign in ',;\t|"':
        text = text.replace(sign, "\n")
    return {word.strip() for word in text.split("\n")}
