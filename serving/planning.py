"""From a released forecast bundle and a query to forecasts and order proposals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from features.tables import FORECAST, FORECAST_LEVELS, ORDER_PROPOSALS, QUANTILE_COLUMNS
from models.bundle import Bundle
from serving.planner import PlannerTable, Products, Rows, page_of
from serving.planner_messages import (
    PAGE_ROWS,
    ForecastPage,
    ForecastQuery,
    ForecastRow,
    PlannerQuery,
    ProposalPage,
    ProposalQuery,
    ProposalRow,
)

QUANTILE_OF = dict(zip(FORECAST_LEVELS, QUANTILE_COLUMNS, strict=True))
KEYS = ("location_id", "product_id", "name")


@dataclass(frozen=True)
class Planning:
    """An open forecast bundle that answers planners."""

    bundle: Bundle
    forecast: PlannerTable
    proposals: PlannerTable

    @classmethod
    def open(cls, bundle: Bundle) -> "Planning":
        """Open the bundle's tables and ask each once."""
        products = Products.read(bundle.folder / "products.parquet")
        opened = cls(
            bundle,
            PlannerTable.open(bundle.folder / "forecast.parquet", products, FORECAST.column_names, "target_date"),
            PlannerTable.open(bundle.folder / "order_proposals.parquet", products, ORDER_PROPOSALS.column_names, None),
        )
        opened.forecasts(ForecastQuery(limit=1))
        opened.order_proposals(ProposalQuery(limit=1))
        return opened

    def forecasts(self, query: ForecastQuery) -> ForecastPage:
        """One page of forecasts."""

        def row(line: dict[str, Any]) -> ForecastRow:
            quantiles = {f"{level:g}": line[QUANTILE_OF[level]] for level in query.levels}
            return ForecastRow.model_construct(**_only(line, ForecastRow), quantiles=quantiles)

        page, facts = self._page(self.forecast, self._forecast_rows(query), query, row)
        return ForecastPage.model_construct(rows=page, **facts)

    def order_proposals(self, query: ProposalQuery) -> ProposalPage:
        """One page of order proposals."""

        def row(line: dict[str, Any]) -> ProposalRow:
            return ProposalRow.model_construct(**_only(line, ProposalRow))

        page, facts = self._page(self.proposals, self.proposals.select(query), query, row)
        return ProposalPage.model_construct(rows=page, **facts)

    def forecasts_csv(self, query: ForecastQuery) -> Iterator[str]:
        """Forecasts as CSV, in pieces; a quantile's column is named as in the table forecast (q95)."""
        quantiles = [QUANTILE_OF[level] for level in query.levels]
        columns = [*KEYS, "made_on", "target_date", "mean_units", *quantiles, "model_version"]
        return self._csv(self.forecast, self._forecast_rows(query), query, columns)

    def order_proposals_csv(self, query: ProposalQuery) -> Iterator[str]:
        """Order proposals as CSV, in pieces."""
        columns = [*KEYS, *(name for name in ORDER_PROPOSALS.column_names if name not in KEYS)]
        return self._csv(self.proposals, self.proposals.select(query), query, columns)

    def _forecast_rows(self, query: ForecastQuery) -> Rows:
        return self.forecast.select(query, query.first_day, query.last_day)

    def _page(
        self, table: PlannerTable, rows: Rows, query: PlannerQuery, make: Callable[[dict[str, Any]], Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        page, cursor = page_of(rows, self.bundle.version, query.cursor, query.limit or PAGE_ROWS)
        columns = table.columns(page)
        lines = [make(dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]
        facts = {
            "model_version": self.bundle.version,
            "as_of": self.bundle.as_of,
            "total_rows": len(rows),
            "next_cursor": cursor,
            "notes": table.notes(query),
        }
        return lines, facts

    def _csv(self, table: PlannerTable, rows: Rows, query: PlannerQuery, columns: Sequence[str]) -> Iterator[str]:
        page, _ = page_of(rows, self.bundle.version, query.cursor, query.limit or max(1, len(rows)))
        return table.csv_lines(page, columns)


def _only(line: dict[str, Any], model: type[ForecastRow] | type[ProposalRow]) -> dict[str, Any]:
    return {name: line[name] for name in model.model_fields if name in line}
