"""The quality of a snapshot: its figures, section by section, and the checks that the recipe's thresholds make of them.

The figures are plain values, fit for JSON; people appear as customer_ids alone. Everything is aggregated in the engine,
batch by batch where it needs every order line, so memory does not grow with the history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.dataset as pads

from features.engine import Engine
from features.errors import HistoryError
from features.ledger import Ledger
from features.quality_outliers import mixed_units, outliers, sold_out
from features.quality_people import identity, overlaps, returns, twins
from features.quality_sources import lateness, sources
from features.quality_stockouts import stockouts
from features.quality_volume import Figures, daily_volume, gaps, stray_days, volume
from features.sources import Quality
from features.workspace import Snapshot, Workspace


@dataclass(frozen=True)
class Check:
    """A figure held against its threshold; `measured` is None where there is nothing to measure."""

    name: str
    setting: str
    measured: float | None
    limit: float
    least: bool = False  # the limit is a lower one
    where: str = ""

    @property
    def broken(self) -> bool:
        if self.measured is None:
            return False
        return self.measured < self.limit if self.least else self.measured > self.limit


@dataclass(frozen=True)
class Report:
    """All figures of a snapshot, why sections are missing, and the checks."""

    version: str
    figures: Figures
    missing: dict[str, str]
    checks: tuple[Check, ...]

    @property
    def broken(self) -> list[Check]:
        return [check for check in self.checks if check.broken]


def quality(
    engine: Engine, workspace: Workspace, snapshot: Snapshot, settings: Quality, as_of: date | None = None
) -> Report:
    """Measure a snapshot. `as_of` is the day that sources are expected to reach; the history's last where not given."""
    ledger = Ledger.open(snapshot)
    if ledger is None:
        raise HistoryError(f"{snapshot.folder} does not say what it was made of: run onebasket ingest again")
    found = _Measuring(engine, workspace, snapshot, ledger, settings, as_of or snapshot.last_day).figures()
    missing = {name: WHY_MISSING[name] for name, section in found.items() if not section}
    figures = {name: section for name, section in found.items() if section}
    about = {
        "retailer": snapshot.facts["retailer"]["name"], "currency": snapshot.facts["currency"],
        "version": snapshot.version, "first_day": str(snapshot.first_day), "last_day": str(snapshot.last_day),
        "as_of": str(as_of or snapshot.last_day),
    }  # fmt: skip
    return Report(snapshot.version, {"about": about, **figures}, missing, tuple(checks(figures, settings)))


WHY_MISSING = {
    "overlaps": "no purchase names an account",
    "twins": "no order looks like another system's; twins are looked for where several sources have order lines",
    "identity": "no purchase names an account",
    "returns": "nothing was given back",
    "sold_out": "no source has stock",
}


class _Measuring:
    """A snapshot under measure."""

    def __init__(
        self, engine: Engine, workspace: Workspace, snapshot: Snapshot, ledger: Ledger, settings: Quality, as_of: date
    ) -> None:
        self.engine, self.workspace, self.snapshot, self.ledger = engine, workspace, snapshot, ledger
        self.settings, self.as_of = settings, as_of
        recipe = snapshot.facts["recipe"]["sources"]
        self.order_sources = [name for name, source in recipe.items() if source["table"] == "order_lines"]

    def figures(self) -> Figures:
        engine, snapshot, ledger = self.engine, self.snapshot, self.ledger
        daily_volume(engine, snapshot, ledger)
        sold = volume(engine)
        orders = sum(channel["orders"] for channel in sold["channels"])
        lines = ledger.lines(dict.fromkeys(self.order_sources))
        return {
            "volume": sold,
            "sources": sources(engine, self.workspace, snapshot, ledger, self.as_of),
            "overlaps": overlaps(engine, snapshot, ledger),
            "twins": twins(engine, snapshot, ledger, orders),
            "identity": identity(engine, snapshot),
            "returns": returns(engine, snapshot, ledger),
            "gaps": gaps(engine, snapshot.last_day, self._closed()),
            "late": lateness(ledger, self.order_sources),
            "days": {"days": len(lines), "stray": stray_days(lines)},
            "mixed_units": mixed_units(engine, snapshot, ledger),
            "outliers": outliers(engine, snapshot, ledger, self.settings.outlier_distance),
            "sold_out": sold_out(engine, snapshot, ledger),
            "stockouts": stockouts(engine, snapshot),
        }  # fmt: skip

    def _closed(self) -> list[date]:
        """Days on which every shop is closed."""
        if not self.snapshot.holds("calendar"):
            return []
        everywhere = (pads.field("region") == "all") & ~pads.field("is_open")
        days: list[date] = self.snapshot.read("calendar", everywhere, ["day"])["day"].to_pylist()
        return days


Limited = tuple[str, str, Callable[[Figures], tuple[float | None, str]]]


def checks(figures: Figures, settings: Quality) -> list[Check]:
    """Every threshold of the recipe, with what was measured."""
    made = []
    for name, setting, measure in CHECKS:
        try:
            measured, where = measure(figures)
        except KeyError:  # a section that has nothing to show
            measured, where = None, ""
        limit = getattr(settings, setting)
        made.append(Check(name, setting, measured, limit, setting.startswith("least_"), where))
    return made


def _share(section: str, *keys: str) -> Callable[[Figures], tuple[float | None, str]]:
    def measure(figures: Figures) -> tuple[float | None, str]:
        found: Any = figures[section]
        for key in keys:
            found = found[key]
        return float(found), ""

    return measure


def _worst(found: list[tuple[float, str]]) -> tuple[float | None, str]:
    """The largest figure, and where it is; nowhere if it is nothing."""
    value, where = max(found, key=lambda one: (one[0], one[1]), default=(None, ""))
    return value, where if value else ""


def _quarantined(figures: Figures) -> tuple[float | None, str]:
    return _worst([(one["quarantined"] / one["read"], one["source"]) for one in figures["sources"] if one["read"]])


def _behind(figures: Figures) -> tuple[float | None, str]:
    return _worst([(float(one["days_behind"]), one["source"]) for one in figures["sources"]
                   if one["days_behind"] is not None])  # fmt: skip


def _gap(figures: Figures) -> tuple[float | None, str]:
    longest = figures["gaps"]["gaps"][:1]
    where = f"{longest[0]['location_id']} {longest[0]['channel']} from {longest[0]['first_day']}" if longest else ""
    return float(figures["gaps"]["longest_days"]), where


def _stray(figures: Figures) -> tuple[float | None, str]:
    found = figures["days"]["stray"]
    return float(len(found)), found[0]["day"] if found else ""


def _largest(figures: Figures) -> tuple[float | None, str]:
    return _worst([(float(one["accounts"]), "") for one in figures["identity"]["sizes"]])


CHECKS: tuple[Limited, ...] = (
    ("quarantined rows", "most_quarantined_share", _quarantined),
    ("late lines", "most_late_share", _share("late", "share")),
    ("days behind", "most_days_behind", _behind),
    ("longest gap, days", "most_gap_days", _gap),
    ("stray days", "most_stray_days", _stray),
    ("returns laid to their sale", "least_returns_matched_share", _share("returns", "matched_share")),
    ("twins left undecided", "most_undecided_twins_share", _share("twins", "undecided_share")),
    ("evidence up for review", "most_review_share", _share("identity", "review_share")),
    ("accounts of the largest customer", "most_accounts_of_a_customer", _largest),
    ("products in several units", "most_mixed_units_share", _share("mixed_units", "share")),
    ("quantities far from usual", "most_unit_outliers_share", _share("outliers", "quantity", "share")),
    ("prices far from usual", "most_price_outliers_share", _share("outliers", "price", "share")),
    ("sold out for a while", "most_sold_out_share", _share("sold_out", "share")),
)
