"""The sample retailer: what its exports say, read with plain pandas, is what its truth says."""

import hashlib
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from features.errors import SampleError
from features.expressions import scalar
from tests.fixtures.sample_exports import every_line, lines_that_count, read
from tests.fixtures.tiny_workspace import onebasket
from training.recipe import load_recipe
from training.sample import write
from training.sample.plan import Plan, customers_for, first_day
from training.sample.write import empty_folder, write_sample

PLAN = Plan(customers=2500, days=24, seed=7)
SMALL = Plan(customers=300, days=8, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample")
    write_sample(PLAN, made)
    return made


@pytest.fixture(scope="module")
def every(folder: Path) -> pd.DataFrame:
    return every_line(folder)


@pytest.fixture(scope="module")
def counting(every: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The lines that count, without the receipts that are a platform's order once more."""
    lines = lines_that_count(every)
    return lines[~(lines.source.eq("pos") & lines.order_id.isin(truth(folder, "twins").order_id))]


def truth(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "truth" / f"{name}.parquet") if (folder / "truth" / f"{name}.parquet").exists() \
        else pd.concat([pd.read_parquet(path) for path in sorted((folder / "truth" / name).glob("*.parquet"))],
                       ignore_index=True)  # fmt: skip


def fingerprints(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def with_parts(lines: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Bundles as the products in them."""
    parts = read(folder, "masterdata/bundles.csv").drop(columns="file")
    held = lines.merge(parts.rename(columns={"product": "part", "units": "times"}), left_on="product",
                       right_on="bundle", how="left")  # fmt: skip
    is_part = held["part"].notna()
    held["units"] = [units * Decimal(times) if part else units
                     for units, times, part in zip(held.units, held.times, is_part, strict=True)]  # fmt: skip
    held["amount"] = [amount * Decimal(share) if part else amount
                      for amount, share, part in zip(held.amount, held.share, is_part, strict=True)]  # fmt: skip
    held["line_id"] = (held.line_id + "+" + held["part"]).where(is_part, held.line_id)
    held["product"] = held["part"].fillna(held["product"])
    return held


def test_the_lines_that_count_are_the_true_lines_to_the_cent(counting: pd.DataFrame, folder: Path):
    told = with_parts(counting, folder).set_index(["source", "line_id"]).sort_index()
    true = truth(folder, "lines").set_index(["source", "line_id"]).sort_index()
    assert list(told.index) == list(true.index)
    account = told.index.get_level_values("source") + ":" + told.account
    assert account.fillna("").tolist() == true.account_id.fillna("").tolist()
    for column in ("units", "amount", "gift", "ordered_at", "order_id"):
        assert (told[column] == true[column]).all(), column
    assert (told["product"] == true.product_id).all()
    assert (told.location == true.location_id).all()


def test_day_sums_of_the_exports_are_the_truths(counting: pd.DataFrame, folder: Path):
    day = (counting.ordered_at + pd.Timedelta(hours=8)).dt.date
    told = counting.groupby([counting.source, day]).amount.sum()
    true = truth(folder, "lines").groupby(["source", "day"]).amount.sum()
    assert told.to_dict() == true.to_dict()


def test_what_is_sold_at_a_place_on_a_day_is_the_truths(counting: pd.DataFrame, folder: Path):
    sold = with_parts(counting[counting.units > 0], folder)
    day = (sold.handed_over_at.fillna(sold.ordered_at) + pd.Timedelta(hours=8)).dt.date
    told = sold.groupby([sold["product"], sold.handed_over_in.fillna(sold.location), day]).units.sum()
    demand = truth(folder, "demand").query("sold_units > 0").set_index(["product_id", "location_id", "day"])
    assert told.to_dict() == demand.sold_units.to_dict()


def test_demand_is_above_sales_on_censored_days_only(folder: Path):
    demand = truth(folder, "demand")
    lost = demand.demanded_units > demand.sold_units
    assert lost.any()
    assert demand[lost].censored.all()
    assert (demand.demanded_units >= demand.sold_units).all()
    stock = pd.concat([pd.read_parquet(path) for path in sorted((folder / "exports/stock").glob("*"))])
    shares = demand[demand.censored].merge(stock, left_on=["product_id", "location_id", "day"],
                                           right_on=["product", "location", "day"])  # fmt: skip
    assert (shares.available_share_x == shares.available_share_y).all()
    assert len(shares) == demand.censored.sum()


def test_a_platforms_order_is_rung_up_with_its_number_or_with_the_customers_card(every: pd.DataFrame, folder: Path):
    twins, lines = truth(folder, "twins"), lines_that_count(every)
    pairs = twins.merge(_baskets(lines, "pos"), on="order_id").merge(
        _baskets(lines, "ecommerce").add_prefix("kept_"), on="kept_order_id"
    )
    assert len(pairs) == len(twins)
    assert (pairs.contents == pairs.kept_contents).all()
    assert (pairs.location == pairs.kept_location).all()
    apart = (pairs.moment - pairs.kept_moment).dt.total_seconds()
    assert apart.between(60, 1200).all()
    assert set(twins.numbered) == {True, False}
    assert (pairs.external == pairs.kept_order_id)[pairs.numbered].all()
    silent = pairs[~pairs.numbered]
    assert silent.external.isna().all()
    person = truth(folder, "people").set_index("account_id").person_id
    assert (("pos:" + silent.account).map(person) == ("ecommerce:" + silent.kept_account).map(person)).all()


def _baskets(lines: pd.DataFrame, source: str) -> pd.DataFrame:
    """An order a row: its place and moment, and its sold products with units and money as one text."""
    sold = lines[lines.source.eq(source) & (lines.units > 0)]
    units, amount = sold.units.map("{:.4f}".format), sold.amount.map("{:.2f}".format)
    contents = (sold["product"] + " " + units + " " + amount).groupby(sold.order_id).agg(sorted)
    heads = sold.drop_duplicates("order_id").set_index("order_id")
    return pd.DataFrame({
        "contents": contents.map(str), "location": heads.location, "account": heads.account, "moment": heads.ordered_at,
        "external": heads.external,
    }).reset_index()  # fmt: skip


def test_every_return_names_its_sale_in_the_truth(counting: pd.DataFrame, folder: Path):
    returns = truth(folder, "returns")
    assert {("pos", "return"), ("app", "return"), ("ecommerce", "return"), ("ecommerce", "refund")} <= set(
        zip(returns.source, returns.kind, strict=True)
    )
    lines = counting.set_index(["source", "line_id"])
    back = lines.loc[list(zip(returns.source, returns.line_id, strict=True))]
    sale = lines.loc[list(zip(returns.source, returns.sale_line_id, strict=True))]
    assert (back["product"].to_numpy() == sale["product"].to_numpy()).all()
    assert (back.ordered_at.to_numpy() > sale.ordered_at.to_numpy()).all()
    assert (-back.amount.to_numpy() <= sale.amount.to_numpy())[(back.index.get_level_values(0) != "ecommerce")].all()
    named = back.returns_order_id.to_numpy() == returns.sale_order_id.to_numpy()
    assert (named == returns.referenced).all()
    assert not returns.referenced.all()


def test_corrections_repeats_and_late_lines_are_told_apart(every: pd.DataFrame, folder: Path):
    versions = truth(folder, "versions")
    assert set(versions.why) == {"late", "corrected", "cancelled later", "repeated"}
    every = every.assign(file=every.file, order=every.groupby(["source", "line_id"]).cumcount())
    times = every.groupby(["source", "line_id"]).size()
    again = versions[versions.superseded].set_index(["source", "line_id"]).index
    assert set(times[times > 1].index) == set(again)
    delivered = set(zip(every.source, every.line_id, every.file, strict=True))
    listed = set(zip(versions.source, versions.line_id, versions.file.str.split("/").str[-1], strict=True))
    assert listed <= delivered


def test_the_same_customer_buys_the_same_twice_in_a_day(counting: pd.DataFrame):
    baskets = pd.concat([_baskets(counting, source) for source in ("pos", "app", "mini_program")]).dropna(
        subset="account"
    )
    pairs = baskets.merge(baskets, on=["account", "contents", "location"])
    pairs = pairs[(pairs.moment_x < pairs.moment_y) & (pairs.moment_y - pairs.moment_x < pd.Timedelta(hours=4))]
    assert len(pairs) >= 3


def test_strangers_buy_equal_baskets_in_the_same_place_and_minute(counting: pd.DataFrame, folder: Path):
    pairs = _baskets(counting, "app").merge(_baskets(counting, "pos"), on=["contents", "location"])
    pairs = pairs[pairs.moment_x.dt.floor("min") == pairs.moment_y.dt.floor("min")]
    person = truth(folder, "people").set_index("account_id").person_id
    assert len(pairs) >= 2
    assert (("app:" + pairs.account_x).map(person) != ("pos:" + pairs.account_y).map(person)).all()


def test_the_other_traps_are_there(every: pd.DataFrame, folder: Path):
    till = every[every.source == "pos"]
    assert till.drop(columns="line_id").duplicated(["file", "order_id", "product", "units", "amount"]).any()
    assert any(number % 1 for number in till.units)
    assert (every.gift & every.amount.eq(0)).any()
    assert 0.3 < till.account.isna().mean() < 0.8
    raw = read(folder, "pos/pos-*.csv", encoding="gbk")
    assert {"件", "斤", "公斤"} == set(raw["单位"])
    assert {"each", "kg", "case", "dozen"} == set(read(folder, "group_buy/group-*.csv", sep=";").unit)
    assert {"CNY", "USD"} == set(read(folder, "ecommerce/orders-*.csv.gz").currency)
    app = every[every.source == "app"]
    assert (app.ordered_at.dt.date != (app.ordered_at + pd.Timedelta(hours=8)).dt.date).any()
    weather = read(folder, "weather/weather.csv")
    assert set((pd.to_datetime(weather.known_on) - pd.to_datetime(weather.day)).dt.days) == {-3, -1, 1}
    listings = read(folder, "masterdata/listings.csv")
    assert listings.ends_on.notna().any()
    assert (listings.starts_on > "2024-01-01").any()
    assert truth(folder, "locations").opened_on.notna().any()
    assert {"opt_out", "opt_in", "erase"} == set(read(folder, "crm/consents.csv").wish)


def test_evidence_joins_up_to_four_accounts_and_is_shared_where_it_must_not_join(folder: Path):
    people, links = truth(folder, "people"), truth(folder, "links")
    own = people[people.kind == "own"]
    assert own.groupby("person_id").size().max() == 4
    assert own[own.linkable].groupby("component").size().max() >= 3
    assert people.dropna(subset="person_id").groupby("component").person_id.nunique().max() == 1
    person = links.account_id.map(people.set_index("account_id").person_id)
    sharers = person.groupby([links.kind, links.value]).nunique()
    reason = links.groupby(["kind", "value"]).shared.max()
    assert set(reason[sharers > 1]) == {"family phone", "family device", "shop card", "shop phone"}
    assert sharers[reason.str.startswith("family")].max() <= 4
    assert sharers[reason.str.startswith("shop")].min() >= 16
    guests = people[people.kind == "guest"]
    assert guests.linkable.all()
    exported = read(folder, "crm/identity_links.csv")
    assert (exported.channel + ":" + exported.account).tolist() == links.account_id.tolist()


def test_the_recipe_is_sound_and_finds_every_export(folder: Path):
    recipe = load_recipe(str(folder / "recipe.toml"))
    for name, source in recipe.sources.items():
        for place in [source.path, *(join.path for join in source.join)]:
            assert list(folder.glob(place)), f"{name}: {place}"
    assert set(truth(folder, "lines").source) == set(recipe.of_table("order_lines"))


def test_every_expression_of_the_recipe_reads_columns_that_the_exports_have(folder: Path):
    recipe = load_recipe(str(folder / "recipe.toml"))
    for name, source in recipe.sources.items():
        shapes = [(source.path, source), *((join.path, join) for join in source.join)]
        columns = [column for path, shape in shapes
                   for column in _columns(sorted(folder.glob(path))[0], shape.delimiter, shape.encoding)]  # fmt: skip
        for column, expression in source.columns.items():
            scalar(expression, columns, f"{name}.{column}")


def _columns(path: Path, delimiter: str, encoding: str) -> list[str]:
    if path.suffix == ".parquet":
        return pd.read_parquet(path).columns.tolist()
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True).columns.tolist()
    return pd.read_csv(path, sep=delimiter, encoding=encoding, nrows=1).columns.tolist()


def test_a_promoted_product_sells_more_a_line(folder: Path):
    lines = truth(folder, "lines").query("kind == 'sale' and unit == 'each' and source != 'group_buy' and not gift")
    plans = read(folder, "plans/promotions.csv")
    days = lines[["product_id", "day"]].drop_duplicates().merge(plans, left_on="product_id", right_on="product")
    days = days[(days.day.astype(str) >= days.starts_on) & (days.day.astype(str) <= days.ends_on)]
    promoted = pd.MultiIndex.from_frame(lines[["product_id", "day"]]).isin(
        pd.MultiIndex.from_frame(days[["product_id", "day"]])
    )
    units = lines.units.astype(float)
    assert units[promoted].mean() > 1.15 * units[~promoted].mean()


def test_a_short_cycle_is_bought_more_often(folder: Path):
    lines = truth(folder, "lines").query("kind == 'sale'")
    category = truth(folder, "products").set_index("product_id").category
    bought = lines.assign(category=lines.product_id.map(category)).groupby(["household_id", "category"]).day.nunique()
    cycles = truth(folder, "cycles").set_index(["household_id", "category"])
    often = cycles.join(bought.rename("days")).fillna({"days": 0})
    often = often.groupby(pd.cut(often.cycle_days, [0, 5, 10, 20, 40, 400]), observed=True).days.mean()
    assert often.is_monotonic_decreasing


def test_equal_plans_give_equal_bytes_whatever_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_sample(SMALL, tmp_path / "alone", workers=1)
    monkeypatch.setattr(write, "WORTH_A_PROCESS", 0)
    write_sample(SMALL, tmp_path / "together", workers=2)
    assert fingerprints(tmp_path / "alone") == fingerprints(tmp_path / "together")


def test_another_seed_gives_another_sample(tmp_path: Path):
    write_sample(SMALL, tmp_path / "one")
    write_sample(Plan(SMALL.customers, SMALL.days, SMALL.seed + 1), tmp_path / "other")
    one, other = fingerprints(tmp_path / "one"), fingerprints(tmp_path / "other")
    assert one.keys() == other.keys()
    assert one["exports/pos/pos-20240103.csv"] != other["exports/pos/pos-20240103.csv"]


@pytest.mark.parametrize("files", ["month", "whole"])
def test_longer_files_hold_the_same_truth(files: str, tmp_path: Path):
    write_sample(Plan(300, 8, 3, files=files), tmp_path)
    lines = lines_that_count(every_line(tmp_path))
    lines = lines[~(lines.source.eq("pos") & lines.order_id.isin(truth(tmp_path, "twins").order_id))]
    assert lines.amount.sum() == truth(tmp_path, "lines").amount.sum()
    assert len(list((tmp_path / "exports/live").glob("*"))) == 1


def test_the_command_writes_a_sample_and_says_where(tmp_path: Path):
    asked = ["sample", "omnichannel", "--customers", "200", "--days", "7", "--out", str(tmp_path / "made")]
    result = onebasket(tmp_path / "workspace", *asked)
    assert result.exit_code == 0, result.output
    assert "lines a second" in result.stdout
    assert (tmp_path / "made" / "recipe.toml").is_file()
    again = onebasket(tmp_path / "workspace", *asked)
    assert again.exit_code == 2
    assert "is not an empty folder: name a new one with --out" in again.stderr


def test_the_help_names_the_options(tmp_path: Path):
    text = onebasket(tmp_path, "sample", "--help").stdout
    assert [
        word for word in ("--customers", "--lines", "--days", "--seed", "--out", "--files") if word not in text
    ] == []


def test_what_cannot_be_made_is_said(tmp_path: Path):
    with pytest.raises(SampleError, match="'May' is not a day: write such as 2024-01-01"):
        first_day("May", 10)
    with pytest.raises(SampleError, match="knows the holidays of 2022 to 2028"):
        first_day("2028-06-01", 400)
    (tmp_path / "file").write_text("")
    with pytest.raises(SampleError, match="is not an empty folder"):
        empty_folder(tmp_path / "file")
    assert customers_for(10, 100) == 200
