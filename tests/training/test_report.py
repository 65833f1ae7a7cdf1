"""`onebasket report data`: one page without the network, the same figures as JSON, and a status that schedules read."""

import json
import re
from pathlib import Path

import pytest

from tests.fixtures.tiny_workspace import done, onebasket
from training.report_parts import lines, page, table

RECIPE = """[retailer]
name = "街角<商店>"
time_zone = "Asia/Shanghai"
currency = "CNY"
[sources."till"]
table = "order_lines"
path = "销售.csv"
[sources.till.columns]
source_line_id = "行号"
order_id = "单号"
product_id = "商品"
location_id = "门店"
quantity = "数量"
net_amount = "金额"
ordered_at = "时间"
channel = "'pos'"
"""
HEAD = "行号,单号,商品,门店,数量,金额,时间\n"


@pytest.fixture
def corner(tmp_path: Path) -> Path:
    """A shop whose names are Chinese, with one row in ten refused."""
    rows = [
        f"{number},单{number},牛奶,人民路店,{0 if number % 10 == 9 else 1},12.5,2024-03-{1 + number % 20:02d} 10:00\n"
        for number in range(100)
    ]
    (tmp_path / "销售.csv").write_text(HEAD + "".join(rows), "utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    done(tmp_path / "workspace", "ingest", "--recipe", str(tmp_path / "recipe.toml"))
    return tmp_path / "workspace"


def test_a_broken_check_ends_with_status_1_and_still_writes_the_page(corner):
    result = onebasket(corner, "report", "data")
    assert result.exit_code == 1
    assert "BROKEN" in result.stdout
    (written,) = (corner / "reports").glob("*.html")
    assert str(written) in result.stdout
    assert "quantity is zero" in written.read_text("utf-8")


def test_a_threshold_can_be_laid_over_for_one_report(corner):
    done(corner, "report", "data", "--set", "quality.most_quarantined_share=0.1")
    assert onebasket(corner, "report", "data", "--set", "quality.most_quarantined_share=0.09").exit_code == 1
    misspelt = onebasket(corner, "report", "data", "--set", "quality.most_quarantine_share=0.1")
    assert misspelt.exit_code == 2
    assert "most_quarantined_share" in misspelt.stderr


def test_the_json_holds_the_figures_and_the_checks(corner):
    result = onebasket(corner, "report", "data", "--json", "--out", str(corner / "elsewhere"))
    told = json.loads(result.stdout)
    assert told["broken"] == 1
    assert told["figures"]["sources"][0]["quarantined"] == 10
    (broken,) = [check for check in told["checks"] if check["broken"]]
    assert (broken["setting"], broken["measured"], broken["where"]) == ("quality.most_quarantined_share", 0.1, "till")
    (file,) = (corner / "elsewhere").glob("data-*.json")
    assert json.loads(file.read_text("utf-8")) == told


def test_the_page_needs_nothing_from_elsewhere_and_reads_names_of_any_script(corner):
    onebasket(corner, "report", "data")
    text = next((corner / "reports").glob("*.html")).read_text("utf-8")
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", text)
    assert "街角&lt;商店&gt;" in text
    assert "销售.csv" in text
    assert 'name="viewport"' in text
    assert "Nothing to show: nothing was given back." in text


def test_the_same_data_give_the_same_page(corner):
    onebasket(corner, "report", "data", "--out", str(corner / "one"))
    onebasket(corner, "report", "data", "--out", str(corner / "two"))
    one, two = (sorted((corner / name).iterdir()) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_sources_that_are_behind_the_day_asked_for_break_the_check(corner):
    result = onebasket(corner, "report", "data", "--as-of", "2024-04-01", "--json")
    behind = next(check for check in json.loads(result.stdout)["checks"] if check["name"] == "days behind")
    assert (behind["measured"], behind["broken"], behind["where"]) == (13.0, True, "till")
    assert "write it as 2017-12-10" in onebasket(corner, "report", "data", "--as-of", "today").stderr


def test_an_unknown_subject_is_refused(corner):
    assert onebasket(corner, "report", "dta").exit_code == 2


def test_texts_are_escaped_wherever_they_stand():
    evil = "<script>alert(1)</script>"
    written = page(evil, [table([evil], [[evil]]), lines(evil, {evil: {}})])
    assert evil not in written


def test_trace_prints_an_order_and_names_those_that_come_close(corner):
    shown = done(corner, "trace", "单7").stdout
    for word in ("销售.csv line 9", "牛奶", "kept", "in the purchase history", "is part of the demand of"):
        assert word in shown
    assert json.loads(done(corner, "trace", "单9", "--json").stdout)[0]["versions"][0]["because"] == "quantity is zero"
    unknown = onebasket(corner, "trace", "单123")
    assert unknown.exit_code == 2
    assert "no file holds an order '单123' (sources till): did you mean" in unknown.stderr
