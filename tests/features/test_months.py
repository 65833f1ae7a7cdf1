"""What is kept by months (returns) or summed up to a month (visits) is what all at once gives, whenever files come."""

from itertools import permutations
from pathlib import Path

import pytest

from features.ingest import ingest
from features.ledger import Ledger
from features.workspace import Snapshot, Workspace
from training.recipe import load_recipe

RECIPE = """
[retailer]
name = "months"
time_zone = "UTC"
[sources.till]
table = "order_lines"
path = "till*.csv"
[sources.till.columns]
source_line_id = "line"
order_id = '"order"'
channel_customer_id = "account"
product_id = "product"
quantity = "quantity"
net_amount = "paid"
ordered_at = "at"
returns_order_id = "back"
[sources.wishes]
table = "consents"
path = "wishes.csv"
columns = { channel = "'pos'", channel_customer_id = "account", wish = "'erase'", wished_at = "at" }
"""
HEAD = "line,order,account,product,quantity,paid,at,back\n"
# xena buys in three months and brings back in each; bob comes once; cem only ever brings back
MONTHS = {
    "till-11.csv": [
        "1,o1,xena,milk,3,6,2023-11-05,",
        "2,r1,xena,milk,-1,-2,2023-11-20,o1",
        "3,o2,bob,tea,1,4,2023-11-30,",
    ],
    "till-12.csv": ["4,o3,xena,tea,2,8,2023-12-02,", "5,r2,xena,milk,-1,-2,2023-12-30,o1"],
    "till-01.csv": ["6,r3,cem,tea,-1,-4,2024-01-02,o3", "7,o4,dan,milk,1,2,2024-01-03,"],
    "till-02.csv": ["8,o5,bob,milk,1,2,2024-02-10,", "9,r4,xena,milk,-2,-4,2024-02-11,o1"],
}


class Shop:
    """A retailer whose files come one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir()
        (folder / "recipe.toml").write_text(RECIPE, "utf-8")
        self.wish()

    def put(self, name: str) -> None:
        (self.data / name).write_text(HEAD + "".join(line + "\n" for line in MONTHS[name]), "utf-8")

    def wish(self, *accounts: str) -> None:
        rows = "".join(f"{account},2024-02-12 09:00:00\n" for account in accounts)
        (self.data / "wishes.csv").write_text("account,at\n" + rows, "utf-8")

    def ingest(self, workspace: str = "steps") -> Snapshot:
        return ingest(load_recipe(str(self.folder / "recipe.toml"), self.data), Workspace(self.folder / workspace))

    def files(self, snapshot: Snapshot) -> dict[str, bytes]:
        """Every file but what says when it was made."""
        return {
            path.relative_to(snapshot.folder).as_posix(): path.read_bytes()
            for path in sorted(snapshot.folder.rglob("*.parquet"))
        }


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    return Shop(tmp_path)


@pytest.mark.parametrize("order", list(permutations(MONTHS))[::5], ids="-".join)
def test_months_that_come_in_any_order_give_the_same_files(shop: Shop, order: tuple[str, ...]) -> None:
    for name in order:
        shop.put(name)
        steps = shop.ingest()
    once = shop.ingest("once")
    assert shop.files(steps) == shop.files(once)
    assert sorted(path.parent.name for path in (once.folder / "returns").rglob("*.parquet")) == [
        "month=2023-11", "month=2023-12", "month=2024-01", "month=2024-02",
    ]  # fmt: skip
    found = sorted(
        (row["source_line_id"], row["sale_order_id"], float(row["units"])) for row in once.read("returns").to_pylist()
        if row["matched_by"] != "unmatched"
    )  # fmt: skip
    assert found == [("2", "o1", 1.0), ("5", "o1", 1.0), ("6", "o3", 1.0), ("9", "o1", 1.0)]  # of three bought


def test_days_of_customers_reach_over_what_is_summed_up(shop: Shop) -> None:
    for name in MONTHS:
        shop.put(name)
        snapshot = shop.ingest()
    people = {row["customer_id"]: row for row in snapshot.read("customers").to_pylist()}
    days = {who: (str(row["first_purchase_on"]), str(row["last_purchase_on"])) for who, row in people.items()}
    assert days == {
        "xena": ("2023-11-05", "2023-12-02"), "bob": ("2023-11-30", "2024-02-10"),
        "cem": ("None", "None"), "dan": ("2024-01-03", "2024-01-03"),
    }  # fmt: skip
    ledger = Ledger.open(snapshot)
    assert ledger is not None
    assert ledger.visits_until == "2024-02"


def test_a_new_day_of_the_same_month_takes_the_sums_over(shop: Shop) -> None:
    for name in ("till-11.csv", "till-12.csv"):
        shop.put(name)
    before = shop.ingest().folder / "ledger" / "visits_summed.parquet"
    (shop.data / "till-12b.csv").write_text(HEAD + "10,o9,eve,tea,1,4,2023-12-31,\n", "utf-8")
    after = shop.ingest()
    assert (after.folder / "ledger" / "visits_summed.parquet").samefile(before)
    assert shop.files(after) == shop.files(shop.ingest("once"))


def test_who_is_erased_is_in_no_sum(shop: Shop) -> None:
    for name in MONTHS:
        shop.put(name)
    shop.ingest()
    shop.wish("xena")
    steps = shop.ingest()
    assert shop.files(steps) == shop.files(shop.ingest("once"))
    assert [name for name, content in shop.files(steps).items() if b"xena" in content] == ["consents/part.parquet"]
    assert {row["account_id"] for row in steps.read("accounts").to_pylist()} == {"bob", "cem", "dan"}


def test_a_file_that_says_less_than_before_leaves_no_visit(shop: Shop) -> None:
    for name in MONTHS:
        shop.put(name)
    shop.ingest()
    (shop.data / "till-11.csv").write_text(HEAD + MONTHS["till-11.csv"][0] + "\n", "utf-8")  # bob's first is gone
    steps = shop.ingest()
    assert shop.files(steps) == shop.files(shop.ingest("once"))
    bob = next(row for row in steps.read("customers").to_pylist() if row["customer_id"] == "bob")
    assert str(bob["first_purchase_on"]) == "2024-02-10"


def test_returns_stay_in_their_month_when_its_last_days_are_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.partitions.MONTH_ROWS", 1)  # days are partitions
    for name in MONTHS:
        shop.put(name)
    late = shop.data / "till-11b.csv"
    late.write_text(HEAD + "10,o9,eve,tea,1,4,2023-12-31,\n", "utf-8")
    shop.ingest()
    late.write_text(HEAD + "10,o9,eve,tea,1,4,2024-01-01,\n", "utf-8")
    assert shop.files(shop.ingest()) == shop.files(shop.ingest("once"))
    late.write_text(HEAD, "utf-8")
    assert shop.files(shop.ingest()) == shop.files(shop.ingest("again"))
