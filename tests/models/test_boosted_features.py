from datetime import date, timedelta

import lightgbm as lgb
import numpy as np

from features.demand import DayFacts, Panel
from models.boosted_features import (
    Sight,
    categorical_positions,
    feature_count,
    feature_names,
    fill_rows,
    origin_features,
)

FIRST, DAYS, AHEAD = date(2024, 1, 1), 120, 14


def steady_panel() -> Panel:
    """Two series: 3 units a day at price 2, and 5 at 4; two kinds of plan whose names hold odd characters."""
    units = np.repeat(np.array([[3], [5]], np.float32), DAYS, axis=1)
    every = DAYS + AHEAD
    plan = np.full((2, every), -1, np.int16)
    return Panel(
        as_of=FIRST + timedelta(days=DAYS - 1),
        first_day=FIRST,
        product_ids=["a", "b"],
        location_ids=["here", "here"],
        units=units,
        available=None,
        price=np.repeat(np.array([[2], [4]], np.float32), DAYS, axis=1),
        category=np.zeros((2, 1), np.int32),
        facts=DayFacts(FIRST, np.ones(every, bool), np.full(every, -1, np.int32), (), np.ones(every, bool)),
        ahead_days=AHEAD,
        planned={'2 for 1, "today": {x}': plan, "海报": plan},
    )


def rows(panel: Panel) -> np.ndarray:
    """Features of the day after the panel, one row a series."""
    matrix = np.full((len(panel), feature_count(panel)), np.float32(-99))
    sight = Sight.of(panel)
    series = np.arange(len(panel))
    fill_rows(matrix, sight, origin_features(sight, panel.days - 1), panel.days - 1, series, np.ones_like(series))
    return matrix


def test_every_column_has_a_name_of_its_own_that_says_what_it_holds():
    panel = steady_panel()
    names, matrix = feature_names(panel), rows(panel)
    assert len(set(names)) == len(names) == matrix.shape[1]
    assert not (matrix == -99).any()
    column = {name: matrix[:, at].tolist() for at, name in enumerate(names)}
    assert column["days_ahead"] == [1, 1]
    assert column["weekday"] == [(FIRST + timedelta(days=DAYS)).weekday()] * 2
    assert column["mean_7_days"] == column["units_per_sale_day"] == column["most_28_days"] == [3, 5]
    assert column["same_weekday_4_weeks"] == [3, 5]
    assert column["days_since_sale"] == column["spread_56_days"] == [0, 0]
    assert column["age_days"] == [DAYS - 1] * 2
    assert column["price"] == [2, 4]
    assert column["price_to_usual"] == [1, 1]
    assert column["location_month"] == column["category_month"] == [8, 8]
    assert column["product_month"] == [3, 5]
    assert [names[at] for at in categorical_positions(panel)] == ["holiday", "category_level_0"]


def test_lightgbm_takes_the_names_whatever_a_retailer_calls_its_plans():
    panel = steady_panel()
    matrix = np.repeat(rows(panel), 40, axis=0)
    data = lgb.Dataset(
        matrix,
        label=np.arange(len(matrix), dtype=np.float32),
        feature_name=feature_names(panel),
        params={"verbosity": -1},
    )
    model = lgb.train({"verbosity": -1, "num_threads": 1}, data, num_boost_round=1)
    assert model.feature_name() == feature_names(panel)
