"""A small retailer whose every export the tests write themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.channels import Export, content_of, read_export
from features.engine import Engine, engine_in
from features.ingest import ingest
from features.workspace import Snapshot, Workspace
from training.recipe import load_recipe

LINES = """line,order,account,product,shop,sold_at,quantity,paid
1,o1,ann,milk,s1,2024-03-01 10:00:00,2,4.00
2,o1,ann,bread,s1,2024-03-01 10:00:00,1,2.50
3,o2,bob,milk,s2,2024-03-02 11:00:00,1,2.00
4,o3,,milk,s1,2024-03-03 12:00:00,3,6.00
"""
COLUMNS = {
    "source_line_id": "line", "order_id": '"order"', "channel_customer_id": "account", "product_id": "product",
    "location_id": "shop", "quantity": "quantity", "net_amount": "paid", "ordered_at": "sold_at",
}  # fmt: skip


class Shop:
    """A folder with exports and a recipe, and the workspace that they are taken into."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workspace = folder, Workspace(folder / "workspace")
        self.retailer = 'name = "corner"'
        self.extra = ""
        self.source = 'path = "lines.csv"'
        self.columns = dict(COLUMNS)
        self.write("lines.csv", LINES)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def add(self, *lines: str) -> None:
        with (self.folder / "lines.csv").open("a", encoding="utf-8") as stream:
            stream.writelines(line + "\n" for line in lines)

    @property
    def recipe(self) -> Path:
        mapped = "\n".join(f"{name} = {text!r}" for name, text in self.columns.items())
        till = f'[sources.till]\ntable = "order_lines"\n{self.source}\n[sources.till.columns]\n{mapped}'
        return self.write("recipe.toml", f"[retailer]\n{self.retailer}\n\n{till}\n\n{self.extra}\n")

    def ingest(self, latest_day: date | None = None) -> Snapshot:
        return ingest(load_recipe(str(self.recipe)), self.workspace, latest_day=latest_day)

    def refused(self, source: str = "till") -> list[tuple[str, str]]:
        """(reason, original) of each quarantined row of the latest ingest."""
        import pyarrow.parquet as pq

        folder = max(path for path in self.workspace.quarantine.iterdir())
        rows = pq.read_table(folder / f"{source}.parquet").to_pylist()
        return [(row["reason"], row["original"]) for row in rows]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@dataclass(frozen=True)
class Written:
    """How an export is written, with the recipe's defaults."""

    path: str = ""
    format: str = "auto"
    delimiter: str = ","
    encoding: str = "utf-8"
    sheet: str | None = None
    relation: str | None = None
    explode: str | None = None


class Desk:
    """Opens single files, as ingest does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open(self, file: Path | str, numbered: bool = False, **written: Any) -> Export:
        source = Written(path=str(file), **written)
        export = read_export(self.engine, "till", source, Path(file), numbered=numbered)
        export.check(len(self.engine.run("SELECT * FROM export_till").to_arrow_table()))
        return export

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows of the file opened last, in the order in which they are read."""
        return self.engine.rows("SELECT * FROM export_till")

    def content(self, file: Path | str, **written: Any) -> str:
        return content_of(self.engine, "till", Written(path=str(file), **written), Path(file))

    @property
    def copies(self) -> list[str]:
        """Files beside DuckDB's own that hold rows."""
        return sorted(path.name for path in self.engine.scratch.iterdir() if not path.name.startswith("staging"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with engine_in(scratch) as engine:
        yield Desk(engine)
