"""However exports come, change and go, the result is what taking everything in at once gives."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.decisions import Decision, append
from features.engine import engine_in
from features.errors import RecipeError
from features.ingest import ingest
from features.trace import trace
from features.who import accounts_as_of
from features.workspace import Snapshot, Workspace
from training.recipe import load_recipe

HEAD = "line,order,account,product,shop,at,quantity,paid,external,handed\n"
LINES = """
[sources.{name}]
table = "order_lines"
path = "{path}"
[sources.{name}.columns]
source_line_id = "line"
order_id = '"order"'
channel = "'{channel}'"
channel_customer_id = "account"
product_id = "product"
location_id = "shop"
quantity = "quantity"
net_amount = "paid"
ordered_at = "at"
external_order_id = "external"
fulfilled_at = "handed"
"""
TILL = LINES.format(name="till", path="till*.csv", channel="pos")
APP = LINES.format(name="app", path="app*.csv", channel="app")
LINKS = """
[sources.links]
table = "identity_links"
path = "links.csv"
[sources.links.columns]
channel = "channel"
channel_customer_id = "account"
kind = "'phone'"
value = "phone"
linked_at = "since"
"""
PLANS = """
[sources.plans]
table = "plans"
path = "plans*.csv"
[sources.plans.columns]
product_id = "product"
starts_on = "first"
ends_on = "last"
known_on = "first"
"""
WISHES = """
[sources.wishes]
table = "consents"
path = "wishes.csv"
columns = { channel = "channel", channel_customer_id = "account", wish = "wish", wished_at = "at" }
"""
CLICKS = """
[sources.clicks]
table = "events"
path = "clicks.csv"
[sources.clicks.columns]
event_id = "id"
type = "'view'"
customer_id = "customer"
channel = "'app'"
channel_customer_id = "account"
happened_at = "at"
"""


class Chain:
    """A retailer of several systems, whose files are written as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sources = folder, [TILL, APP]
        self.data = folder / "data"
        self.data.mkdir()

    def write(self, name: str, *rows: str, head: str = HEAD) -> None:
        (self.data / name).write_text(head + "".join(row + "\n" for row in rows), "utf-8")

    def ingest(self, workspace: str = "steps") -> Snapshot:
        recipe = self.folder / "recipe.toml"
        recipe.write_text('[retailer]\nname = "chain"\ntime_zone = "UTC"\n' + "".join(self.sources), "utf-8")
        return ingest(load_recipe(str(recipe), self.data), Workspace(self.folder / workspace))

    def check(self) -> Snapshot:
        """The ingest of the last step, which must equal one of everything at once."""
        steps, once = self.ingest(), self.ingest("once")
        for table in sorted(path.name for path in once.folder.iterdir() if path.is_dir() and path.name != "ledger"):
            assert steps.read(table).to_pylist() == once.read(table).to_pylist(), table
        assert steps.version.split("-")[1] == once.version.split("-")[1]
        return steps


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    return Chain(tmp_path)


def orders(snapshot: Snapshot) -> list[str]:
    return sorted(row["order_id"] for row in snapshot.read("purchase_history").to_pylist())


def test_the_first_twins_ever_found_take_their_repetitions_out(chain: Chain) -> None:
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,A1,")
    chain.write("app1.csv", "1,a0,bob,bread,s1,2024-01-05 10:00:00,1,3.00,,")
    assert orders(chain.ingest()) == ["app:a0", "till:t1"]
    chain.write("app2.csv", "2,a1,cid,milk,s1,2024-01-31 10:00:00,1,2.00,A1,")
    assert orders(chain.check()) == ["app:a0", "app:a1"]


@pytest.mark.parametrize("later", ["", "pos,ann,13812345678,2024-03-01\napp,a,13812345678,2024-03-01\n"])
def test_evidence_that_is_withdrawn_or_dated_later_gives_the_orders_back(chain: Chain, later: str) -> None:
    chain.sources.append(LINKS)
    head = "channel,account,phone,since\n"
    chain.write(
        "links.csv",
        head=head + "pos,ann,13812345678,2024-01-01\napp,a,13812345678,2024-01-01\npos,z,13912345678,2024-01-01\n",
    )
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write("app.csv", "1,a1,a,milk,s1,2024-02-02 10:05:00,1,2.00,,")
    assert orders(chain.ingest()) == ["till:t1"]
    chain.write("links.csv", head=head + later + "pos,z,13912345678,2024-01-01\n")
    assert orders(chain.check()) == ["app:a1", "till:t1"]


def test_a_return_that_only_the_other_system_took_is_kept(chain: Chain) -> None:
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write(
        "app.csv", "1,a1,a,milk,s1,2024-02-02 10:05:00,1,2.00,t1,", "2,a1,a,milk,s1,2024-02-02 18:00:00,-1,-2.00,t1,"
    )
    history = chain.check().read("purchase_history").to_pylist()
    assert sorted(float(row["net_units"]) for row in history) == [-1.0, 1.0]
    chain.write("till2.csv", "2,t1,ann,milk,s1,2024-02-02 18:01:00,-1,-2.00,,")
    history = chain.check().read("purchase_history").to_pylist()
    assert sorted((row["order_id"], float(row["net_units"])) for row in history) == [
        ("till:t1", -1.0),
        ("till:t1", 1.0),
    ]


def test_a_number_and_a_shop_in_common_are_not_enough_to_take_an_order_out(chain: Chain) -> None:
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,N/A,")
    chain.write("app.csv", "1,a1,bob,bread,s1,2024-02-20 10:00:00,7,70.00,N/A,")
    assert orders(chain.check()) == ["app:a1", "till:t1"]


def test_a_shop_without_customers_goes_on_the_next_day(chain: Chain) -> None:
    chain.sources = [TILL]
    chain.write("till1.csv", "1,t1,,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.ingest()
    chain.write("till2.csv", "2,t2,,milk,s1,2024-02-03 10:00:00,1,2.00,,")
    assert orders(chain.check()) == ["t1", "t2"]
    chain.write("till2.csv")  # taken back
    assert orders(chain.check()) == ["t1"]


def test_content_that_comes_again_later_counts_as_the_latest(chain: Chain) -> None:
    chain.sources = [TILL]
    old, new = (f"1,t1,,milk,s1,2024-02-02 10:00:00,{units},2.00,," for units in (1, 5))
    chain.write("till1.csv", old)
    chain.write("till2.csv", new)
    assert chain.ingest().read("purchase_history")["net_units"].to_pylist() == [5]
    chain.write("till3.csv", old)
    assert chain.check().read("purchase_history")["net_units"].to_pylist() == [1]


def test_a_file_that_was_renamed_counts_by_its_new_name(chain: Chain) -> None:
    chain.sources = [TILL]
    chain.write("till1.csv", "1,t1,,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write("till2.csv", "1,t1,,milk,s1,2024-02-02 10:00:00,5,2.00,,")
    chain.ingest()
    (chain.data / "till1.csv").rename(chain.data / "till3.csv")
    assert chain.check().read("purchase_history")["net_units"].to_pylist() == [1]


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "snapshot.json").unlink(),
    lambda folder: (folder / "ledger" / "ledger.json").write_text(
        json.dumps(json.loads((folder / "ledger" / "ledger.json").read_text("utf-8")) | {"form": 1}), "utf-8"),
])  # fmt: skip
def test_files_that_are_gone_are_remembered_by_a_snapshot_that_cannot_be_gone_on_from(
    chain: Chain, damage: Callable[[Path], None]
) -> None:
    chain.sources = [TILL]
    chain.write("till1.csv", "1,t1,,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write("till2.csv", "2,t2,,milk,s1,2024-02-03 10:00:00,1,2.00,,")
    first = chain.ingest()
    (chain.data / "till1.csv").unlink()
    damage(first.folder)
    assert orders(chain.ingest()) == ["t1", "t2"]


def test_files_with_brackets_in_their_names_are_told_apart(chain: Chain) -> None:
    chain.sources = [TILL]
    chain.write("till[1].csv", "1,t1,,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write("till1.csv", "7,t7,,milk,s1,2024-02-03 10:00:00,1,2.00,,")
    assert orders(chain.ingest("work[1]")) == ["t1", "t7"]


def test_a_plan_where_there_was_none_says_of_every_day_that_it_is_known(chain: Chain) -> None:
    chain.sources = [TILL, PLANS]
    head = "plan,product,first,last\n"
    chain.write("plans1.csv", head=head)
    chain.write("till.csv", "1,t1,,milk,s1,2024-01-02 10:00:00,1,2.00,,", "2,t2,,milk,s1,2024-03-02 10:00:00,1,2.00,,")
    assert chain.ingest().read("demand_history")["promotion"].to_pylist() == [None, None]
    chain.write("plans2.csv", "p,milk,2024-03-01,2024-03-05", head=head)
    assert chain.check().read("demand_history")["promotion"].to_pylist() == [False, True]


def test_a_wish_to_be_erased_that_is_taken_back_gives_the_name_back(chain: Chain) -> None:
    chain.sources = [TILL, WISHES]
    head = "channel,account,wish,at\n"
    chain.write(
        "till.csv", "1,t1,ann,milk,s1,2024-01-02 10:00:00,1,2.00,,", "2,t2,bob,milk,s1,2024-03-02 10:00:00,1,2.00,,"
    )
    chain.write("wishes.csv", "pos,ann,erase,2024-03-03", head=head)
    assert sorted(chain.ingest().read("purchase_history")["account_id"].to_pylist(), key=str) == [None, "bob"]
    chain.write("wishes.csv", "pos,bob,opt_out,2024-03-03", head=head)
    assert sorted(chain.check().read("purchase_history")["account_id"].to_pylist()) == ["ann", "bob"]


def test_an_erased_person_takes_no_stranger_along(chain: Chain) -> None:
    chain.sources = [TILL, WISHES, CLICKS]
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-01-02 10:00:00,1,2.00,,")
    chain.write("wishes.csv", "pos,ann,erase,2024-03-03", head="channel,account,wish,at\n")
    chain.write("clicks.csv", "1,,,2024-01-01", "2,,zoe,2024-01-01", "3,ann,,2024-01-01", "4,,ann,2024-01-01",
                head="id,customer,account,at\n")  # fmt: skip
    assert sorted(chain.check().read("events")["event_id"].to_pylist()) == ["1", "2"]


def test_the_order_of_sources_in_the_recipe_decides_anew(chain: Chain) -> None:
    catalog = '\n[sources.{0}]\ntable = "catalog"\npath = "{0}.csv"\ncolumns = {{ product_id = "p", name = "n" }}\n'
    chain.write("till.csv", "1,t1,,milk,s1,2024-01-02 10:00:00,1,2.00,,")
    for name in ("one", "two"):
        chain.write(f"{name}.csv", f"milk,{name}", head="p,n\n")
    chain.sources = [TILL, catalog.format("one"), catalog.format("two")]
    assert chain.ingest().read("catalog")["name"].to_pylist() == ["one"]
    chain.sources = [TILL, catalog.format("two"), catalog.format("one")]
    assert chain.check().read("catalog")["name"].to_pylist() == ["two"]


def test_a_day_of_handing_over_that_nobody_lives_to_see_goes_to_the_quarantine(chain: Chain) -> None:
    chain.sources = [TILL]
    chain.write(
        "till.csv", "1,t1,,milk,s1,2024-01-02 10:00:00,1,2.00,,9999-12-31", "2,t2,,milk,s1,2024-01-02 10:00:00,1,2.00,,"
    )
    snapshot = chain.ingest()
    assert orders(snapshot) == ["t2"]
    assert snapshot.facts["sources"]["till"]["reasons"] == {"fulfilled_at is more than 400 days after ordered_at": 1}


def test_who_ordered_where_only_the_repetition_stands_has_an_account_there(chain: Chain) -> None:
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write("app.csv", "1,a1,m1,milk,s1,2024-02-02 10:05:00,1,2.00,t1,")
    accounts = chain.check().read("accounts").to_pylist()
    assert {(row["account_id"], row["customer_id"]) for row in accounts} == {("ann", "ann"), ("m1", "ann")}


def test_a_refund_in_a_file_of_its_own_finds_the_sale_that_it_names(chain: Chain) -> None:
    back = (
        APP.replace("sources.app", "sources.back")
        .replace("app*.csv", "back.csv")
        .replace('external_order_id = "external"', 'returns_order_id = "external"')
    )
    chain.sources = [TILL, back]
    chain.write(
        "till.csv", "1,1,c1,milk,s1,2024-02-01 10:00:00,1,2.00,,", "2,2,c1,milk,s1,2024-02-02 10:00:00,1,2.00,,"
    )
    chain.write(
        "back.csv",
        "1,R1,c1,milk,s1,2024-02-05 10:00:00,-1,-2.00,1,",
        "2,R2,c1,milk,s1,2024-02-06 10:00:00,-1,-2.00,77,",
    )
    rows = chain.check().read("returns").to_pylist()
    found = {row["order_id"]: (row["sale_order_id"], row["matched_by"]) for row in rows}
    assert found == {"back:R1": ("till:1", "order and product"), "back:R2": (None, "unmatched")}


def test_a_source_is_named_so_that_a_folder_can_be(chain: Chain) -> None:
    chain.sources = [TILL.replace("sources.till", 'sources."../../evil"')]
    with pytest.raises(RecipeError, match="names a source"):
        chain.ingest()


def test_days_before_a_decision_do_not_know_it(chain: Chain) -> None:
    chain.sources = [TILL]
    chain.write(
        "till.csv",
        *(f"{n},t{n},{who},milk,s1,2024-02-0{n} 10:00:00,1,2.00,," for n, who in ((1, "ann"), (2, "bob"), (9, "cid"))),
    )
    chain.ingest()
    workspace = Workspace(chain.folder / "steps")
    append(
        workspace,
        Decision(datetime(2024, 2, 9, tzinfo=UTC), "me", "together", ("ann", "bob"), "asked", date(2024, 2, 5)),
    )
    after = chain.ingest()
    for day, joined in ((date(2024, 2, 4), {"ann", "bob"}), (date(2024, 2, 6), {"ann"})):
        known = accounts_as_of(after, day).to_pylist()
        assert {row["customer_id"] for row in known if row["account_id"] in {"ann", "bob"}} == joined


def test_a_trace_shows_what_is_kept_of_a_twin_and_names_nobody_erased(chain: Chain) -> None:
    chain.sources.append(WISHES)
    chain.write("till.csv", "1,t1,ann,milk,s1,2024-02-02 10:00:00,1,2.00,,")
    chain.write(
        "app.csv",
        "1,a1,a,milk,s1,2024-02-02 10:05:00,1,2.00,t1,",
        "2,a1,a,milk,s1,2024-02-02 18:00:00,-1,-2.00,t1,",
    )
    chain.write("wishes.csv", "app,a,erase,2024-03-03", head="channel,account,wish,at\n")
    snapshot, workspace = chain.check(), Workspace(chain.folder / "steps")
    (chain.folder / "scratch").mkdir()
    with engine_in(chain.folder / "scratch") as engine:
        (found,) = trace(engine, workspace, snapshot, "app:a1")
    assert [(one.fate, one.channel_customer_id) for one in found.versions] == [("twin", None), ("kept", None)]
