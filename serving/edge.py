"""What happens to every request: an id, a measured duration, and one shape for what nobody caught."""

import logging
import re
import uuid
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.faults import fault_of, fault_response
from serving.measures import Measures

KNOWN_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("onebasket.serving")


class Edge:
    """The outermost layer. Logs no path parameters, query strings or bodies: they may hold personal data."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        start, status = perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as raised:
            log.exception("request %s to %s failed", request_id, _route(scope))
            if status:
                raise  # half an answer is out: the connection must break, so that nobody takes it for a whole one
            await fault_response(fault_of(Request(scope), raised), request_id)(scope, receive, answer)
        finally:
            method = scope["method"] if scope["method"] in KNOWN_METHODS else "OTHER"
            self._measures.answered(method, _route(scope), status, perf_counter() - start)


def _route(scope: Scope) -> str:
    """The route's template; paths that no route has must not become labels."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
