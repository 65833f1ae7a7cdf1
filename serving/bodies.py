"""Reading a request's JSON body: bounded, refused early, and checked against its model."""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from serving.faults import Detail, Fault, invalid

Message = TypeVar("Message", bound=BaseModel)


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """Return the body. Raises Fault for another media type, an encoding, parameters, or more than `max_bytes`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Fault("unsupported_media_type", f"Content-Type is {media or 'missing'!r}: send application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Fault("unsupported_media_type", "compressed bodies are not read: send it without Content-Encoding")
    if request.query_params:
        details = [
            Detail(where=name, what="unknown parameter: write it into the body") for name in request.query_params
        ]
        raise Fault("invalid_request", "parameters in the address are not read here: write them into the body", details)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise Fault("body_too_large", f"the body is larger than {max_bytes} bytes: split it")
        parts.append(part)
    return b"".join(parts)


async def read_message(request: Request, model: type[Message], max_bytes: int) -> Message:
    """Return the body as `model`. Raises Fault when it is not JSON or breaks the model."""
    return parse(await read_bytes(request, max_bytes), model)


def parse(body: bytes, model: type[Message]) -> Message:
    """Check JSON against a model: `malformed_json` when it is none, `invalid_request` naming each wrong field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise malformed(first["ctx"]["error"]) from None
        raise invalid(wrong, field_names(model)) from None


def malformed(why: str) -> Fault:
    return Fault("malformed_json", f"the body is not JSON: {why}")


@cache
def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """Every field name that may stand anywhere in a message."""
    return tuple(_names(model))


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        for inner in _models_in(info.annotation):
            yield from _names(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)
