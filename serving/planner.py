"""A forecast bundle's tables in the form that planners' questions need: select rows, page them, stream CSV."""

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import BundleError, did_you_mean
from features.history import PATH_SEPARATOR, day_number
from serving.faults import Fault
from serving.planner_messages import PlannerQuery

Rows = npt.NDArray[np.int64]
CSV_ROWS = 2000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
LIST_SEPARATOR = "; "


@dataclass(frozen=True)
class Products:
    """Names and categories of the products in a bundle."""

    names: dict[str, str]
    categories: dict[str, frozenset[str]]  # a category's name or path → its product_ids

    @classmethod
    def read(cls, path: Path) -> "Products":
        categories: dict[str, set[str]] = {}
        names = {}
        for row in pq.read_table(path).to_pylist():
            product = row["product_id"]
            names[product] = row["name"] or product
            for label in category_labels(row["category"] or []):
                categories.setdefault(label, set()).add(product)
        return cls(names, {label: frozenset(products) for label, products in categories.items()})


def category_labels(path: Sequence[str | None]) -> list[str]:
    """Every text by which a category filter may name a product's path.

    >>> category_labels(["food", "bread"])
    ['food', 'bread', 'food > bread']
    """
    parts = [part for part in path if part]
    paths = [PATH_SEPARATOR.join(parts[: level + 1]) for level in range(1, len(parts))]
    return [*parts, *paths]


class PlannerTable:
    """One of a forecast bundle's tables, with codes that make selecting rows fast."""

    def __init__(self, table: pa.Table, products: Products, day_column: str | None) -> None:
        self.table = table.combine_chunks()
        self.products = products
        self._day_column = day_column
        self._location, self._location_codes = _coded(self.table["location_id"])
        self._product, self._product_codes = _coded(self.table["product_id"])

    @classmethod
    def open(cls, path: Path, products: Products, columns: Sequence[str], day_column: str | None) -> "PlannerTable":
        """Read a sorted parquet file. BundleError names the columns that it lacks."""
        texts = ["location_id", "product_id", "model_version"]
        missing = sorted(set(columns) - set(pq.read_schema(path).names))
        if missing:
            raise BundleError(f"{path} has no {', '.join(missing)}: train and release the forecast again")
        return cls(pq.read_table(path, columns=list(columns), read_dictionary=texts), products, day_column)

    @cached_property
    def _day(self) -> npt.NDArray[np.int32]:
        days = self.table[self._day_column].cast(pa.date32()).cast(pa.int32())
        return np.asarray(days.to_numpy(), np.int32)

    def select(self, query: PlannerQuery, first: date | None = None, last: date | None = None) -> Rows:
        """Row numbers that match, ascending; `first` and `last` bound the day column."""
        keep = np.ones(len(self.table), bool)
        if query.location_id is not None:
            keep &= self._location == self._location_codes.get(query.location_id, -1)
        if query.product_id is not None:
            keep &= self._product == self._product_codes.get(query.product_id, -1)
        if query.category is not None:
            members = self.products.categories.get(query.category, frozenset())
            of_category = np.array([product in members for product in self._product_codes], bool)
            keep &= of_category[self._product]
        if first is not None:
            keep &= self._day >= day_number(first)
        if last is not None:
            keep &= self._day <= day_number(last)
        return np.flatnonzero(keep)

    def notes(self, query: PlannerQuery) -> list[str]:
        """What the query names that the table does not hold."""
        asked = (
            ("location", query.location_id, self._location_codes),
            ("product", query.product_id, self._product_codes),
            ("category", query.category, self.products.categories),
        )
        return [f"{what} {value!r} is not in this release{did_you_mean(value, known)}"
                for what, value, known in asked if value is not None and value not in known]  # fmt: skip

    def columns(self, rows: Rows) -> dict[str, list[Any]]:
        """The values of some rows, column by column, plus `name`; numbers rounded to 4 decimals, NaN as None."""
        taken = self.table.take(pa.array(rows))
        values = {name: _plain(taken[name]) for name in taken.column_names}
        values["name"] = [self.products.names.get(product, product) for product in values["product_id"]]
        return values

    def csv_lines(self, rows: Rows, columns: Sequence[str]) -> Iterator[str]:
        """The rows as CSV text, header first, in pieces that keep memory small."""
        yield _csv_text([columns])
        for start in range(0, len(rows), CSV_ROWS):
            values = self.columns(rows[start : start + CSV_ROWS])
            yield _csv_text(zip(*([_cell(value) for value in values[name]] for name in columns), strict=True))


def _coded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.chunked_array([pa.array([], column.type)]).combine_chunks() if not len(array) else array.chunk(0)
    values = array.dictionary.to_pylist()
    return array.indices.to_numpy(zero_copy_only=False).astype(np.int32), {v: code for code, v in enumerate(values)}


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type):
        values = column.to_numpy().astype(np.float64).round(4)
        return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 (NaN is not itself)
    return list(column.to_pylist())


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = LIST_SEPARATOR.join(value)
    return harmless(value) if isinstance(value, str) else value


def harmless(text: str) -> str:
    """Keep spreadsheets from running a text as a formula: a leading quote, unless it is a plain number.

    >>> harmless("=1+1"), harmless("-5"), harmless("Milk")
    ("'=1+1", '-5', 'Milk')
    """
    if not text.startswith(FORMULA):
        return text
    number = text[1:] if text[0] in "+-" else text
    return text if number.replace(".", "", 1).isdecimal() and number.isascii() else "'" + text


def _csv_text(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def page_of(rows: Rows, version: str, cursor: str | None, limit: int) -> tuple[Rows, str | None]:
    """The rows of one page, and the cursor of the next. Raises Fault for a cursor of another release."""
    if cursor is not None:
        rows = rows[np.searchsorted(rows, _last_row(cursor, version), side="right") :]
    page = rows[:limit]
    return page, _cursor(int(page[-1]), version) if len(rows) > limit else None


def _cursor(row: int, version: str) -> str:
    return base64.urlsafe_b64encode(f"{row}:{version}".encode()).decode().rstrip("=")


def _last_row(cursor: str, version: str) -> int:
    try:
        row, _, made_for = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        last = int(row)
    except ValueError:
        raise Fault("invalid_request", "cursor is not one that this server gave: start again without it") from None
    if made_for != version:
        raise Fault(
            "stale_cursor", f"the cursor belongs to {made_for[:100]!r}, and {version!r} answers now: start again"
        )
    return min(last, np.iinfo(np.int64).max)
