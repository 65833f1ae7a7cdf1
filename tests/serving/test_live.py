import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from serving.live import EventStore, StorageUnavailable, Stored
from serving.messages import Event

AT = datetime(2024, 5, 6, 9, 30, tzinfo=UTC)


def event(name: str) -> Event:
    return Event(event_id=name, type="view", happened_at=AT)


@pytest.fixture
def store(tmp_path):
    made = EventStore(tmp_path / "live")
    made.start()
    yield made
    made.stop()


def count(store: EventStore) -> int:
    connection = sqlite3.connect(store.path)
    try:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
    finally:
        connection.close()


def test_an_acknowledged_event_can_be_read_by_another_connection_at_once(store):
    assert store.put([event("a"), event("a"), event("b")], AT).result(10) == Stored(2, 1)
    assert count(store) == 2


def test_two_stores_of_one_workspace_do_not_lose_or_double_events(store, tmp_path):
    other = EventStore(tmp_path / "live")
    other.start()
    with ThreadPoolExecutor(8) as callers:
        stored = list(
            callers.map(lambda n: (store, other)[n % 2].put([event(f"e{n // 2}")], AT).result(30), range(400))
        )
    other.stop()
    assert sum(answer.accepted for answer in stored) == sum(answer.duplicates for answer in stored) == 200
    assert count(store) == 200


def test_what_waits_is_stored_before_the_store_stops(tmp_path):
    store = EventStore(tmp_path)
    store.start()
    waiting = [store.put([event(f"w{number}")], AT) for number in range(500)]
    store.stop()
    assert sum(future.result(0).accepted for future in waiting) == 500
    assert count(store) == 500


def test_a_store_that_failed_works_again_once_its_folder_can_be_used(tmp_path):
    place = tmp_path / "live"
    place.write_text("in the way")
    store = EventStore(place)
    store.start()
    with pytest.raises(StorageUnavailable):
        store.put([event("x")], AT).result(10)
    place.unlink()
    assert store.put([event("x")], AT).result(10) == Stored(1, 0)
    store.stop()


def test_too_many_waiting_requests_are_refused_instead_of_filling_memory(tmp_path):
    store = EventStore(tmp_path)  # not started: nothing is taken from the queue
    for number in range(1000):
        store.put([event(f"q{number}")], AT)
    with pytest.raises(StorageUnavailable, match="1000 requests wait"):
        store.put([event("one too many")], AT)
