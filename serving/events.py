"""Reading events from a request: one, or a batch in which each event stands for itself."""

from typing import Any

import pydantic_core
from pydantic import Field, ValidationError

from serving.bodies import field_names, malformed, parse
from serving.faults import Fault, detail_of, invalid
from serving.messages import Event, EventsFault, Request


class EventBatch(Request):
    """Several events; one that is wrong does not keep the others from being stored."""

    events: list[Event] = Field(min_length=1, description="at most ONEBASKET_MAX_BATCH_EVENTS")


def read_events(body: bytes, most: int) -> tuple[list[Event], list[EventsFault]]:
    """The good events of a body, and what is wrong with the others.

    Raises Fault when the body is not JSON, holds no good event at all, or more than `most` events.
    """
    sent = _sent_batch(body)
    if sent is None:
        return [parse(body, Event)], []
    if len(sent) > most:
        raise Fault("too_many_events", f"the batch holds {len(sent)} events, at most {most} are taken: split it")
    try:
        return EventBatch.model_validate_json(body).events, []
    except ValidationError as wrong:
        faults = [_events_fault(dict(fault), sent) for fault in wrong.errors() if fault["loc"][:1] == ("events",)
                  and len(fault["loc"]) > 1]  # fmt: skip
        bad = {fault.index for fault in faults}
        if len(faults) < wrong.error_count() or len(bad) == len(sent):
            raise invalid(wrong, field_names(EventBatch)) from None
    good = [event for index, event in enumerate(sent) if index not in bad]
    return EventBatch.model_validate_json(pydantic_core.to_json({"events": good})).events, faults


def _sent_batch(body: bytes) -> list[Any] | None:
    """The list under `events`, None where the body is no batch."""
    if b'"events"' not in body:
        return None
    try:
        content = pydantic_core.from_json(body)
    except ValueError as fault:
        raise malformed(str(fault)) from None
    if not isinstance(content, dict) or "events" not in content:
        return None
    events = content["events"]
    return events if isinstance(events, list) else list(parse(body, EventBatch).events)


def _events_fault(fault: dict[str, Any], sent: list[Any]) -> EventsFault:
    index = fault["loc"][1]
    detail = detail_of(fault, field_names(Event), skip=2)
    event_id = sent[index].get("event_id") if isinstance(sent[index], dict) else None
    return EventsFault(
        index=index,
        event_id=event_id[:200] if isinstance(event_id, str) else None,
        where=detail.where if len(fault["loc"]) > 2 else "event",
        what=detail.what,
    )
