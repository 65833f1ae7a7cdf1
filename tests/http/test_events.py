import sqlite3

from starlette.testclient import TestClient

URL = "/v1/events"
AT = "2024-05-06T09:30:00Z"


def event(name: str, **more: object) -> dict:
    return {"event_id": name, "type": "click", "happened_at": AT} | more


def send(client: TestClient, body: object) -> dict:
    answer = client.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_accepted_event_is_in_the_store_with_its_instant_in_utc(client, server):
    sent = event("stored", customer_id="c01", product_id="p01", position=2, happened_at="2024-05-06T11:30:00+02:00")
    assert send(client, sent) == {"accepted": 1, "duplicates": 0, "rejected": 0, "faults": []}
    with sqlite3.connect(server.events.path) as store:
        row = store.execute("SELECT type, customer_id, product_id, position, happened_at FROM events "
                            "WHERE event_id = 'stored'").fetchone()  # fmt: skip
    store.close()
    assert row == ("click", "c01", "p01", 2, "2024-05-06T09:30:00.000000+00:00")


def test_an_event_sent_twice_is_stored_once(client):
    assert send(client, event("twice"))["accepted"] == 1
    assert send(client, event("twice", type="view")) == {"accepted": 0, "duplicates": 1, "rejected": 0, "faults": []}


def test_a_duplicate_within_a_batch_counts_as_one(client):
    answer = send(client, {"events": [event("b1"), event("b1"), event("b2")]})
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)


def test_a_bad_event_does_not_keep_the_others_of_its_batch_from_being_stored(client):
    answer = send(client, {"events": [event("g1"), event("bad", type="clik"), 7, event("g2", quantity=2.5)]})
    assert (answer["accepted"], answer["rejected"]) == (2, 2)
    first, second = answer["faults"]
    assert (first["index"], first["event_id"], first["where"]) == (1, "bad", "type")
    assert "'click'" in first["what"]
    assert (second["index"], second["event_id"], second["where"]) == (2, None, "event")


def test_a_batch_with_nothing_good_in_it_is_refused(client):
    answer = client.post(URL, json={"events": [event("n1", type="no"), {}]})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["where"] == "events[0].type"


def test_an_unknown_field_is_refused_with_a_suggestion(client):
    answer = client.post(URL, json=event("u", custmer_id="c01"))
    [detail] = answer.json()["error"]["details"]
    assert detail == {"where": "custmer_id", "what": "unknown field (did you mean 'customer_id'?)"}


def test_an_instant_without_its_offset_is_refused(client):
    answer = client.post(URL, json=event("naive", happened_at="2024-05-06T09:30:00"))
    assert answer.status_code == 422
    assert "timezone" in answer.json()["error"]["details"][0]["what"]


def test_more_events_than_the_setting_allows_are_refused_together(client):
    answer = client.post(URL, json={"events": [event(f"m{number}") for number in range(21)]})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_many_events"
    assert "21 events, at most 20" in answer.json()["error"]["message"]


def test_an_instant_that_utc_cannot_hold_is_one_rejected_event_not_a_fault_of_the_server(client):
    for moment in ("9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+10:00"):
        answer = send(client, {"events": [event(f"e{moment}", happened_at=moment), event(f"good {moment}")]})
        assert (answer["accepted"], answer["rejected"]) == (1, 1)
        assert answer["faults"][0]["what"] == f"{moment} lies outside the years 1 to 9999 in UTC"
