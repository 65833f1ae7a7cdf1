"""Who bought when: by day, and summed up to a month, so that a new day needs no pass over every visit there was."""

from collections.abc import Collection
from datetime import date

from features.engine import SHARED
from features.expressions import file_literal, literal
from features.ledger import FOLDER, Ledger
from features.partitions import Layout, Partitioned, link, month_of
from features.writing import PARQUET

VISITS = f"{FOLDER}/visits"
SUMMED = f"{FOLDER}/visits_summed.parquet"
NONE = (
    "SELECT ''::VARCHAR AS account_id, '' AS channel, NULL::DATE AS day, NULL::DATE AS first_bought, "
    "NULL::DATE AS last_bought WHERE false"
)


class Visits:
    """Writes which account bought in which channel on which day."""

    def __init__(self, parts: Partitioned, ledger: Ledger, former: Ledger | None) -> None:
        self.parts, self.ledger, self.former = parts, ledger, former
        self.engine = parts.engine

    def write(self, lines: str, days: Collection[date]) -> None:
        """Note the visits among the `lines` of some days."""
        self.engine.share(
            "chunk_visits",
            f"SELECT account_id, channel, day, bool_or(quantity > 0) AS bought FROM {lines} WHERE account_id IS NOT "
            "NULL GROUP BY ALL",
        )
        layout = Layout(["day", "account_id", "channel"])
        self.parts.write(VISITS, f"{SHARED}.chunk_visits", days, layout, shared=True)
        self.engine.forget("chunk_visits")

    def take_over(self, changed: Collection[date], last_day: date) -> None:
        """Link the days that did not change, and sum up what lies before the month of `last_day`."""
        former = self.former
        if former is not None:
            self.parts.link(VISITS, changed, former.rows.get(VISITS, {}))
        until, since = _month(last_day), former.visits_until if former is not None else ""
        before = self.parts.before / SUMMED if self.parts.before is not None and since else None
        target = self.parts.folder / SUMMED
        if before is None or since > until or any(_month(day) < since for day in changed):
            before, since = None, ""
        self.ledger.visits_until = until
        target.parent.mkdir(parents=True, exist_ok=True)
        if before is not None and since == until:
            link(before, target)
            return
        parts = [self._by_day(since, until)]
        if before is not None:
            parts.append(f"FROM read_parquet({file_literal(before)})")
        summed = (
            "SELECT account_id, channel, min(day) AS day, min(first_bought) AS first_bought, max(last_bought) AS "
            f"last_bought FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL ORDER BY account_id, channel"
        )
        self.engine.run(f"COPY ({summed}) TO {literal(str(target))} ({PARQUET})")

    def relation(self) -> str:
        """SQL of (account_id, channel, day, first_bought, last_bought), of which an account has one row or several:
        the first day of it, and the first and the last day on which it bought."""
        summed = f"FROM read_parquet({file_literal(self.parts.folder / SUMMED)})"
        return f"{summed} UNION ALL {self._by_day(self.ledger.visits_until, '9999-99')}"

    def _by_day(self, since: str, until: str) -> str:
        """The visits of the months from `since` to before `until`, in the columns of `relation`."""
        names = (name for name in self.ledger.rows.get(VISITS, {}) if f"month={since}" <= name < f"month={until}")
        files = ", ".join(file_literal(self.parts.folder / VISITS / name) for name in sorted(names))
        if not files:
            return NONE
        bought = "CASE WHEN bought THEN day END"
        return (
            f"SELECT account_id, channel, day, {bought} AS first_bought, {bought} AS last_bought FROM "
            f"read_parquet([{files}], hive_partitioning = false)"
        )


def _month(day: date) -> str:
    return f"{month_of(day):%Y-%m}"
