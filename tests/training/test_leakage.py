"""The whole path from raw exports to exported files reads nothing later than --as-of."""

from pathlib import Path

import pytest

from tests.fixtures import tiny_shop
from tests.fixtures.tiny_workspace import AS_OF, done
from training.recipe import load_recipe

SURFACES = ("for-you", "buy-again", "with-basket", "similar", "trending")
LATER = [
    # new customer, product and shop
    '20240601-new-p99,20240601-new,c99,p99,s9,2024-06-01 10:00:00,3,12.0,0.0',
    # known ones, far larger than ever before
    '20240602-c00-p00,20240602-c00,c00,p00,s0,2024-06-02 10:00:00,5000,5000.0,0.0',
    '20240602-c01-p05,20240602-c01,c01,p05,s1,2024-06-02 10:00:00,900,900.0,1.0',
    # the number of an order from before, used again by somebody else
    '20240603-again,20240110-c05,c07,p07,s2,2024-06-03 10:00:00,4,4.0,0.0',
    # the number of a line from before: a duplicate, and the first one counts
    '20240105-anon-p00,20240105-anon,,p23,s0,2024-06-04 10:00:00,77,77.0,0.0',
    # a return
    '20240605-back,20240605-back,c02,p02,s2,2024-06-05 10:00:00,-2,-2.4,0.0',
    # an anonymous basket at the last moment that is still later
    '20240429-anon-x,20240429-x,,p11,s1,2024-04-29 00:00:00,60,60.0,0.0',
]  # fmt: skip


def append(folder: Path) -> None:
    """Later rows for every export."""
    with (folder / "lines.csv").open("a") as file:
        file.write("".join(f"{line}\n" for line in LATER))
    with (folder / "products.csv").open("a") as file:
        file.write("p99,Product 99,garden,category 9\n")
    with (folder / "promotions.csv").open("a") as file:
        file.write("p00,s0,2024-05-01,2024-05-07,2024-04-29\np99,s9,2024-06-01,2024-06-07,2024-05-25\n")


def exported(workspace: Path, out: Path) -> dict[str, bytes]:
    """Every batch export as of AS_OF, by file name."""
    out.mkdir()
    for surface in SURFACES:
        for ending in ("parquet", "csv"):
            file = str(out / f"{surface}.{ending}")
            done(workspace, "recommend", "--as-of", AS_OF, "--surface", surface, "--out", file)
    for command in ("forecast", "orders"):
        for ending in ("parquet", "csv"):
            done(workspace, command, "--as-of", AS_OF, "--out", str(out / f"{command}.{ending}"))
    for ending in ("parquet", "csv"):
        done(workspace, "demand", "--as-of", AS_OF, "--out", str(out / f"demand.{ending}"))
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Exports of the tiny shop, of it with later rows, and of it with one earlier row changed."""
    folder = tmp_path_factory.mktemp("leakage")
    recipe = tiny_shop.write_exports(folder / "exports")
    files = {}
    for name in ("before", "after", "changed"):
        if name == "after":
            append(folder / "exports")
        if name == "changed":
            _change_an_earlier_row(folder / "exports" / "lines.csv")
        done(folder / name, "ingest", "--recipe", str(recipe))
        files[name] = exported(folder / name, folder / f"{name}-files")
    return files


def _change_an_earlier_row(path: Path) -> None:
    """From the 20th to the 28th of April, shop s0 sells 50 of its daily product instead of 5."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        cells = line.split(",")
        if cells[0].endswith("-anon-p00") and "2024-04-20" <= cells[5] < "2024-04-29":
            cells[2], cells[6], cells[7] = "c03", "50", "50.0"
            lines[number] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


def test_the_recipe_trains_the_real_models():
    recipe = load_recipe("complete-journey")
    assert (recipe.recommend.recommender, recipe.forecast.forecaster) == ("ranker", "boosted")


def test_rows_after_as_of_change_no_exported_byte(before_and_after: dict[str, dict[str, bytes]]):
    before, after = before_and_after["before"], before_and_after["after"]
    assert before.keys() == after.keys()
    assert len(before) == 2 * (len(SURFACES) + 3)
    assert [name for name in before if before[name] != after[name]] == []


def test_rows_before_as_of_do_change_them(before_and_after: dict[str, dict[str, bytes]]):
    after, changed = before_and_after["after"], before_and_after["changed"]
    same = {name for name in after if after[name] == changed[name]}
    assert same.isdisjoint({"for-you.parquet", "buy-again.parquet", "trending.csv", "forecast.parquet", "orders.csv"})
