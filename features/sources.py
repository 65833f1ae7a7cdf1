"""What a recipe says about a retailer and its exports. The settings of models stand beside the models."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.errors import did_you_mean
from features.tables import SOURCE_TABLES

Expression = Annotated[str, Field(min_length=1, description="an SQL scalar expression over the export's columns")]


PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Kind = Literal["auto", "parquet", "csv", "jsonl", "excel", "sqlite", "postgres", "mysql", "ibis"]


class Settings(BaseModel):
    """A frozen group of settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Retailer(Settings):
    """Who the retailer is, and how its days and money are counted."""

    name: str = Field(description="short name, used in file names and in MLflow")
    time_zone: str = Field(default="UTC", description="IANA zone of the shops: decides which day a sale belongs to")
    currency: str = Field(
        default="", description="ISO 4217 code of the amounts; those of a source's `currency` are turned into it"
    )
    country: str | None = Field(default=None, description="ISO 3166 code for public holidays, such as US, GB or CN")
    subdivision: str | None = Field(default=None, description="state or region of the country, for its holidays")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            hint = did_you_mean(value, available_timezones())
            raise ValueError(f"unknown time zone {value!r}{hint}: use an IANA name such as 'Europe/London'")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Unit(Settings):
    """What a unit that exports name is counted in."""

    unit: str = Field(description="the unit that it is counted in, such as kg or each")
    times: Decimal = Field(gt=0, description="how many of those one is: 0.5 for a 斤 in kg, 12 for a dozen")


class Orders(Settings):
    """How orders of several systems are put together, and what comes back is laid to its order."""

    twin_minutes: int = Field(
        default=30, ge=0, le=43_200, description="orders of two sources are one when customer, location, products and "
        "amount are the same and no more than this lies between them; 0 for never"
    )  # fmt: skip
    return_days: int = Field(
        default=365, ge=0, le=36_500, description="how long a product may come back without an order number"
    )


class Identity(Settings):
    """How channel accounts become customers."""

    account_numbers: Literal["per-channel", "shared"] = Field(
        default="shared",
        description="'shared': a number means the same account in every channel; 'per-channel': the account is "
        "channel:number. A customer is called by the earliest of its accounts",
    )
    most_accounts: int = Field(
        default=8, ge=2, description="evidence shared by more accounts than this joins none of them"
    )
    probabilistic: bool = Field(
        default=False, description="also link by likeness of profiles (needs the extra 'splink'); off by default"
    )


def _share(default: float, meaning: str) -> Any:
    return Field(default=default, ge=0, le=1, description=meaning)


class Quality(Settings):
    """When `onebasket report data` calls the data broken. A figure that cannot be measured breaks nothing."""

    most_quarantined_share: float = _share(0.02, "rows of one source in the quarantine, as a share of those read")
    most_late_share: float = _share(0.05, "order lines that came much later than the others of their file")
    most_days_behind: int = Field(
        default=2, ge=0, description="days by which the last day of a source of order lines or stock may lie before "
        "--as-of, which is the last day of the history where it is not given"
    )  # fmt: skip
    most_gap_days: int = Field(
        default=3, ge=0, description="days in a row without a sale in a location and channel where that is improbable"
    )
    most_stray_days: int = Field(default=0, ge=0, description="days far from the others with hardly any lines")
    least_returns_matched_share: float = _share(0.5, "returned units that are laid to their sale")
    most_undecided_twins_share: float = _share(0.01, "orders that looked like another system's and were left")
    most_review_share: float = _share(0.05, "evidence of who is who up for review, per customer")
    most_accounts_of_a_customer: int = Field(default=20, ge=1, description="accounts of the largest customer")
    most_mixed_units_share: float = _share(0.01, "products that are sold in several units")
    most_unit_outliers_share: float = _share(0.001, "sale lines whose quantity is far from what is usual")
    most_price_outliers_share: float = _share(0.005, "sale lines whose price per unit is far from what is usual")
    most_sold_out_share: float = _share(0.25, "days of a product in a location on which it was sold out for a while")
    outlier_distance: float = Field(
        default=6.0, gt=0, description="how many robust standard deviations from a product's median, on a logarithmic "
        "scale, make an outlier"
    )  # fmt: skip


class Quarantine(Settings):
    """Rows of a source that are known not to be what its table holds."""

    when: Expression = Field(description="SQL condition over the export's columns; true sends the row to quarantine")
    reason: str = Field(description="the reason written beside each such row")


class Join(Settings):
    """Another file whose columns the expressions may use, such as order headers beside order lines."""

    path: str = Field(description="file or glob; see Source.path")
    format: Kind = Field(default="auto", description="see Source.format")
    delimiter: str = Field(default=",", description="see Source.delimiter")
    encoding: str = Field(default="utf-8", description="see Source.encoding")
    sheet: str | None = Field(default=None, description="see Source.sheet")
    relation: str | None = Field(default=None, description="see Source.relation")
    on: dict[str, str] = Field(description="export's column = joined file's column")

    @property
    def explode(self) -> None:
        """A joined row is found by a column of the whole row, never by one of its parts."""


class Source(Settings):
    """One export and the table that it fills."""

    table: str = Field(description="the table it fills: " + ", ".join(SOURCE_TABLES))
    path: str = Field(
        description="file or glob, relative to the data folder (--data, or the recipe's own folder); "
        "'package:NAME/FILE' is a file of an installed Python package; for a database on a server 'env:NAME', the "
        "environment variable that holds its connection string"
    )
    format: Kind = Field(default="auto", description="'auto' goes by the file's ending")
    delimiter: str = Field(default=",", description="CSV: what separates fields")
    encoding: str = Field(default="utf-8", description="CSV: such as utf-8, gbk or latin-1")
    sheet: str | None = Field(default=None, description="Excel: name of the sheet; the first one where absent")
    relation: str | None = Field(default=None, description="databases: the table or view to read")
    explode: str | None = Field(
        default=None,
        description="a column that holds a list, such as the items of an order: every part of it becomes a row, in "
        "which the column is that part",
    )
    time_zone: str | None = Field(default=None, description="zone of naive timestamps; the retailer's where absent")
    join: tuple[Join, ...] = Field(default=(), description="files joined to it, left join, first match")
    quarantine: tuple[Quarantine, ...] = Field(default=(), description="rows that do not belong")
    identical_lines: Literal["keep", "duplicates"] = Field(
        default="keep",
        description="order lines without a source_line_id: 'keep' counts identical lines of an order as several "
        "sales; 'duplicates' keeps the first only",
    )
    columns: dict[str, Expression] = Field(description="column of the table = SQL expression over the export")
    values: dict[str, dict[str, str]] = Field(
        default={}, description="column of the table = what the export's values mean; another value is quarantined"
    )

    @field_validator("table")
    @classmethod
    def _known_table(cls, value: str) -> str:
        if value not in SOURCE_TABLES:
            raise ValueError(
                f"unknown table {value!r}{did_you_mean(value, SOURCE_TABLES)}: one of {list(SOURCE_TABLES)}"
            )
        return value

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        table = SOURCE_TABLES[self.table]
        for name in [*self.columns, *self.values]:
            if name not in table.column_names:
                raise ValueError(f"{self.table} has no column {name!r}{did_you_mean(name, table.column_names)}")
        for name in self.values:
            if name not in self.columns:
                raise ValueError(f"values.{name}: the recipe does not map {name}: map it under [sources.….columns]")
        missing = [column.name for column in table.columns
                   if column.required and column.name not in self.columns and column.name != "source"]  # fmt: skip
        if missing:
            raise ValueError(f"{self.table} needs {', '.join(missing)}: map each under [sources.….columns]")
        return self


class Intake(Settings):
    """The part of a recipe that ingest reads."""

    retailer: Retailer
    identity: Identity = Identity()
    sources: dict[str, Source] = Field(description="name = export")
    orders: Orders = Orders()
    quality: Quality = Quality()
    units: dict[str, Unit] = Field(default={}, description="unit as exports name it = what it is counted in")
    oldest_day: str = Field(default="1990-01-01", description="rows dated before it are quarantined")
    folder: Path = Field(default=Path(), description="set by the loader: where relative paths start")

    @model_validator(mode="after")
    def _has_order_lines(self) -> Self:
        if not any(source.table == "order_lines" for source in self.sources.values()):
            raise ValueError("no source fills order_lines: without purchases there is nothing to learn from")
        return self

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, sources: dict[str, Source]) -> dict[str, Source]:
        for name in sources:
            if not PLAIN_NAME.fullmatch(name):  # folders are named so
                raise ValueError(f"{name!r} names a source: letters, digits, '_' and '-' only, a letter or digit first")
        return sources

    def of_table(self, table: str) -> dict[str, Source]:
        return {name: source for name, source in self.sources.items() if source.table == table}


def describe(error: dict[str, Any], known: tuple[str, ...]) -> str:
    """One line for one pydantic error, with its place in the recipe and, for an unknown key, a suggestion."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        word = str(error["loc"][-1])  # a key that may stand elsewhere is no hint to itself
        return f"{place}: unknown key{did_you_mean(word, [key for key in known if key != word])}"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
