"""The one shape of every error answer, and everything that becomes it.

{"error": {"code": "invalid_request", "message": "…", "details": [{"where": "limit", "what": "…"}]},
 "request_id": "…"}
"""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from features.errors import did_you_mean

CODES: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "the body is not JSON"),
    "not_found": (404, "there is nothing at this path"),
    "method_not_allowed": (405, "the path does not take this method"),
    "stale_cursor": (409, "the cursor belongs to an earlier release: start again without it"),
    "body_too_large": (413, "the body is larger than ONEBASKET_MAX_BODY_BYTES"),
    "too_many_events": (413, "the batch holds more than ONEBASKET_MAX_BATCH_EVENTS events"),
    "unsupported_media_type": (415, "the body is not application/json, or is compressed"),
    "invalid_request": (422, "the request can be read, but a field or parameter is wrong"),
    "internal_error": (500, "a fault of the server; its log has the request_id"),
    "storage_unavailable": (503, "events cannot be stored now: send them again later"),
    "not_ready": (503, "no bundle of the kind that answers this is open yet"),
}
LONGEST_DETAILS = 50


class Detail(BaseModel):
    """One thing that is wrong."""

    where: str = Field(description="path of the field, or name of the parameter", examples=["filters.category[0]"])
    what: str = Field(description="what is wrong with it", examples=["unknown field (did you mean 'channel'?)"])


class FaultBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="one of: " + ", ".join(CODES), examples=["invalid_request"])
    message: str = Field(description="one sentence for a person", examples=["1 field is wrong: limit"])
    details: list[Detail] = Field(description="each thing that is wrong; may be empty")


class FaultAnswer(BaseModel):
    """Every answer with a status of 400 or above."""

    error: FaultBody
    request_id: str = Field(description="also in the header X-Request-ID and in the server's log")


class Fault(Exception):
    """Raise it to answer with an error; `code` is a key of CODES."""

    def __init__(
        self, code: str, message: str, details: Sequence[Detail] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = list(details)
        self.headers = headers or {}

    @property
    def status(self) -> int:
        return CODES[self.code][0]


def fault_response(fault: Fault, request_id: str) -> Response:
    """The answer that a fault becomes."""
    body = FaultBody(code=fault.code, message=fault.message, details=fault.details)
    answer = FaultAnswer(error=body, request_id=request_id)
    return Response(answer.model_dump_json(), fault.status, fault.headers, "application/json")


def invalid(wrong: ValidationError | RequestValidationError, known: Iterable[str], skip: int = 0) -> Fault:
    """The fault for fields that the caller sent wrongly; `skip` leading parts of each place are not the caller's."""
    faults = wrong.errors()
    details = [detail_of(dict(fault), tuple(known), skip) for fault in faults[:LONGEST_DETAILS]]
    places = ", ".join(dict.fromkeys(detail.where for detail in details[:3])) + (", …" if len(faults) > 3 else "")
    plural = "1 field is" if len(faults) == 1 else f"{len(faults)} fields are"
    return Fault("invalid_request", f"{plural} wrong: {places}", details)


def refuse_repeats(request: Request) -> None:
    """Raise a Fault where a parameter is sent more than once: only one of its values would be answered."""
    names = [name for name, _ in request.query_params.multi_items()]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        details = [Detail(where=name, what="sent more than once: ask once for each value") for name in repeated]
        raise Fault("invalid_request", f"sent more than once: {', '.join(repeated)[:200]}", details)


def detail_of(fault: dict[str, Any], known: tuple[str, ...], skip: int) -> Detail:
    """One of pydantic's errors in our words."""
    loc = fault["loc"][skip:]
    where = place(loc)
    if fault["type"] == "extra_forbidden":
        return Detail(where=where, what=f"unknown field{did_you_mean(str(loc[-1]), known)}")
    return Detail(where=where, what=str(fault["msg"]).removeprefix("Value error, "))


def place(loc: Sequence[str | int]) -> str:
    """Write a place as people do.

    >>> place(("events", 3, "type"))
    'events[3].type'
    """
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")[:200] or "body"


def fault_of(request: Request, raised: Exception) -> Fault:
    """The fault that an exception of the framework becomes; anything else is the server's own fault."""
    if isinstance(raised, Fault):
        return raised
    if isinstance(raised, RequestValidationError):
        return invalid(raised, _query_names(request), skip=1)
    if isinstance(raised, HTTPException) and raised.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _of_framework(request, raised)
    return Fault("internal_error", "the server failed to answer: quote the request_id when you report it")


def _of_framework(request: Request, raised: HTTPException) -> Fault:
    if raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (raised.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed here: use {allowed or 'another method'}"
        return Fault("method_not_allowed", message, headers={"Allow": allowed})
    if raised.status_code == HTTPStatus.NOT_FOUND:
        return Fault("not_found", "there is nothing at this path: see /docs for what there is")
    return Fault("invalid_request", str(raised.detail))


def _query_names(request: Request) -> list[str]:
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    models = [field.field_info.annotation for field in getattr(dependant, "query_params", [])]
    return [info.alias or name for model in models if isinstance(model, type) and issubclass(model, BaseModel)
            for name, info in model.model_fields.items()]  # fmt: skip


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for the OpenAPI document."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, "internal_error"):
        status, meaning = CODES[code]
        by_status.setdefault(status, []).append(f"`{code}`: {meaning}")
    return {status: {"model": FaultAnswer, "description": "; ".join(lines)} for status, lines in by_status.items()}
