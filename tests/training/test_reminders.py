"""The command that writes reminders, on the tiny shop."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.tables import REMINDERS
from tests.fixtures.tiny_workspace import AS_OF, CHEAP, done, onebasket


def test_reminders_are_written_in_both_formats_with_few_a_customer(trained_shop: Path, tmp_path: Path) -> None:
    options = ("--as-of", AS_OF, "--days-ahead", "2", "--most", "2", "--probability", "0.1", *CHEAP)
    for ending in ("csv", "parquet"):
        told = done(trained_shop, "reminders", "--out", str(tmp_path / f"due.{ending}"), *options)
        assert "training" not in told.stderr
    flat, typed = pacsv.read_csv(tmp_path / "due.csv"), pq.read_table(tmp_path / "due.parquet")
    assert flat.column_names == typed.column_names == list(REMINDERS.column_names)
    frame = typed.to_pandas()
    assert len(frame) == flat.num_rows > 0
    assert f"{len(frame):,} rows as of {AS_OF}" in told.stdout
    assert frame.groupby("customer_id").size().max() <= 2
    assert set(frame["due_date"]) == {date.fromisoformat(AS_OF) + timedelta(days=2)}
    assert (frame["probability"] >= 0.1).all()


def test_a_term_that_cannot_be_meant_ends_before_any_work(trained_shop: Path, tmp_path: Path) -> None:
    ended = onebasket(trained_shop, "reminders", "--days-ahead", "60", "--out", str(tmp_path / "due.csv"))
    assert ended.exit_code == 2
    assert "error: 60 days ahead: reminders are made 1 to 28 days before" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_the_help_shows_how_to_ask(trained_shop: Path) -> None:
    told = done(trained_shop, "reminders", "--help")
    assert "onebasket reminders --as-of 2017-12-10 --days-ahead 3 --out reminders.csv" in told.stdout
