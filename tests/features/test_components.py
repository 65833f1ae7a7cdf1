"""Connected components, against a plain search, and on chains."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.components import components
from features.engine import Engine, engine_in


class Counting(Engine):
    """An engine that counts its steps."""

    steps = 0

    def keep(self, name: str, expression: object) -> object:
        self.steps += 1
        return super().keep(name, expression)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with engine_in(tmp_path) as engine:
        yield engine


def found(engine: Engine, edges: list[tuple[int, int]]) -> dict[int, int]:
    columns = {"a": pa.array([a for a, _ in edges], pa.int64()), "b": pa.array([b for _, b in edges], pa.int64())}
    table = engine.ibis.create_table("edges", pa.table(columns), overwrite=True)
    rows = components(engine, table, "test").to_pyarrow()
    return dict(zip(rows["node"].to_pylist(), rows["component"].to_pylist(), strict=True))


def plain(edges: list[tuple[int, int]]) -> dict[int, int]:
    least = {node: node for edge in edges for node in edge}
    for _ in least:
        for a, b in edges:
            least[a] = least[b] = min(least[a], least[b])
    return least


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=30))
def test_they_are_what_a_plain_search_finds(engine, edges):
    assert found(engine, edges) == plain(edges)


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_a_chain_of_ten_thousand_takes_few_steps(tmp_path, order):
    nodes = list(range(10_000))
    if order == "falling":
        nodes.reverse()
    elif order == "shuffled":
        random.Random(4).shuffle(nodes)
    engine = Counting(tmp_path)
    chained = found(engine, list(pairwise(nodes)))
    engine.close()
    assert set(chained.values()) == {0}
    assert len(chained) == 10_000
    assert engine.steps <= 3 * 20
