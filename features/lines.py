"""The order lines that count, of any days, from the landed files of every source."""

from collections.abc import Sequence
from datetime import date

from features.channels.export import ROW
from features.engine import Engine
from features.expressions import literal, quoted
from features.identity import account_sql
from features.landed import filled
from features.landing import Landed, rows_sql
from features.sources import Intake
from features.tables import ORDER_LINES
from features.versions import LOSERS
from features.workspace import Workspace
from features.zones import USUAL_DAYS, to_local

COLUMNS = [column for column in ORDER_LINES.column_names if column != "source"]


class Lines:
    """Reads live lines by day: every usable row of the landed files that no other row replaces."""

    def __init__(self, engine: Engine, intake: Intake, workspace: Workspace, landed: Sequence[Landed]) -> None:
        self.engine, self.intake, self.workspace = engine, intake, workspace
        self.sources = list(intake.of_table("order_lines"))
        self.landed = {source: [one for one in landed if one.source == source] for source in self.sources}
        self.erases = bool(engine.rows("SELECT 1 FROM erased_accounts LIMIT 1"))
        self._losing = {row[0] for row in engine.rows(f"SELECT DISTINCT source FROM {LOSERS}")}

    @property
    def several(self) -> bool:
        """Whether order numbers of several sources have to be told apart."""
        return len(self.sources) > 1

    def sql(self, first: date, last: date, *, for_twins: bool = False) -> str:
        """SQL of the lines ordered from `first` to `last`, with what unifies them.

        Beside the columns of `order_lines`: day, order_number, order_id (unified), account_id, gift,
        demand_day, demand_location_id, and onebasket_file and onebasket_row where they came from. `for_twins` adds
        cancelled lines, and `asker`: a hash of the account, of erased ones too, so that their orders stay found twice.
        """
        parts = [part for source in self.sources if (part := self._of(source, first, last, for_twins))]
        return " UNION ALL BY NAME ".join(parts) if parts else self._none()

    def implied(self, first: date, last: date) -> dict[str, str]:
        """SQL of columns that follow from the others, as no file with lines of these days says anything of them."""
        unmapped = [set(one.unmapped) for source in self.sources for one in self._files(source, first, last)]
        silent = set.intersection(*unmapped) if unmapped else set()
        found: dict[str, str] = {
            name: filled(name) for name in ("channel", "unit", "discount_amount") if name in silent
        }
        if "fulfilled_at" in silent:
            found["demand_day"] = "day"
        if "fulfilment_location_id" in silent:
            found["demand_location_id"] = "location_id"
        return found

    def _files(self, source: str, first: date, last: date) -> list[Landed]:
        return [
            one for one in self.landed[source]
            if any(first <= date.fromisoformat(day) <= last for day in one.days)
        ]  # fmt: skip

    def _of(self, source: str, first: date, last: date, for_twins: bool) -> str | None:
        files = self._files(source, first, last)
        if not files:
            return None
        plain = [column for column in COLUMNS if column not in {"order_id", "gift", "source_line_id"}]
        listed = ", ".join(map(quoted, plain))
        taken = f"source_line_id, {listed}, order_id, gift, day"
        where = f"day BETWEEN DATE '{first}' AND DATE '{last}'"
        rows = rows_sql(files, self.workspace, taken, where if for_twins else f"{where} AND status = 'completed'")
        counting = ""
        if source in self._losing:
            counting = f" WHERE NOT EXISTS (SELECT 1 FROM {LOSERS} AS losing WHERE losing.source = {literal(source)} " \
                       f"AND losing.file = rows.onebasket_file AND losing.row = rows.{ROW})"  # fmt: skip
        line = f"coalesce(source_line_id, onebasket_file || '#' || {ROW}) AS source_line_id"
        asker = f"md5({account_sql(self.intake.identity)}) AS asker, " if for_twins else ""
        return (
            f"SELECT {literal(source)} AS source, {line}, {listed}, day, order_id AS order_number, "
            f"{self._unified(source)}, {asker}onebasket_file, {ROW} FROM ({rows}) AS rows{counting}"
        )

    def _unified(self, source: str) -> str:
        order = f"{literal(source + ':')} || order_id" if self.several else "order_id"
        account = account_sql(self.intake.identity)
        if self.erases:
            account = f"CASE WHEN {account} NOT IN (SELECT account_id FROM erased_accounts) THEN {account} END"
        handed = to_local("fulfilled_at", self.intake.retailer.time_zone, USUAL_DAYS)
        return (
            f"{order} AS order_id, {account} AS account_id, gift OR (quantity > 0 AND coalesce(net_amount, 1) = 0) "
            f"AS gift, greatest(day, coalesce(CAST({handed} AS DATE), day)) AS demand_day, "
            "coalesce(fulfilment_location_id, location_id) AS demand_location_id"
        )

    def _none(self) -> str:
        """No lines at all, in the right columns, from any landed file."""
        source, day = next(
            (source, date.fromisoformat(day))
            for source, files in self.landed.items()
            for one in files
            for day in one.days
        )
        some = self._of(source, day, day, True)
        return f"SELECT * FROM ({some}) WHERE false"
