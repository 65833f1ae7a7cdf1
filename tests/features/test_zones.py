"""Time zones by comparison agree with the zone database."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest

from features.zones import Span, day_starts, to_local, to_utc

SPAN = Span(date(2007, 1, 1), date(2027, 1, 1))


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
)
def test_instants_and_clocks_agree_with_the_zone_database(zone: str) -> None:
    known = ZoneInfo(zone)
    start = datetime.combine(date(2006, 1, 1), time.min)
    moments = [start + timedelta(minutes=30 * 97 * step) for step in range(4000)]
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE t (moment TIMESTAMP)")
        engine.execute("INSERT INTO t SELECT unnest(?)", [moments])
        query = (
            f"SELECT moment, {to_local('moment', zone, SPAN)}, {to_utc('moment', zone, SPAN)} FROM t ORDER BY moment"
        )
        for at, local, utc in engine.execute(query).fetchall():
            assert local == at.replace(tzinfo=UTC).astimezone(known).replace(tzinfo=None)
            # an hour that is skipped is read as before the change, one that is repeated as after it
            readings = {at.replace(tzinfo=known, fold=fold).astimezone(UTC).replace(tzinfo=None) for fold in (0, 1)}
            assert utc == max(readings)


def test_a_local_day_starts_at_its_midnight() -> None:
    assert day_starts(date(2024, 7, 1), "Asia/Shanghai") == datetime.combine(date(2024, 6, 30), time(16))
