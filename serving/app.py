"""The routes: each reads a message, asks what answers it, and writes the answer."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from features.workspace import Workspace
from serving.bodies import read_bytes, read_message
from serving.document import ABOUT, answered, describe_bodies, documented_body, documented_header, one_of
from serving.edge import Edge
from serving.events import EventBatch, read_events
from serving.faults import Detail, Fault, documented, fault_of, fault_response, refuse_repeats
from serving.languages import chosen_language
from serving.live import EventStore, StorageUnavailable
from serving.measures import Measures
from serving.messages import (
    EXAMPLE_EVENTS,
    EXAMPLE_REQUESTS,
    Event,
    EventsAnswer,
    RecommendationAnswer,
    RecommendationRequest,
)
from serving.pages import docs_page, docs_part
from serving.planner_messages import (
    ForecastPage,
    ForecastQuery,
    ModelsAnswer,
    PlannerQuery,
    ProposalPage,
    ProposalQuery,
    Readiness,
)
from serving.released import Released
from serving.settings import ServingSettings

JSON = "application/json"


@dataclass(frozen=True)
class Server:
    """What one process answers with."""

    settings: ServingSettings
    released: Released
    events: EventStore
    measures: Measures

    @classmethod
    def of(cls, settings: ServingSettings) -> "Server":
        measures = Measures()
        workspace = Workspace(settings.workspace)
        released = Released(
            workspace.bundles, settings.kinds, settings.poll_seconds, measures.bundle_opened, measures.bundle_failed
        )
        return cls(settings, released, EventStore(workspace.live, settings.events_survive), measures)

    def start(self) -> None:
        """Begin to open what is released, and to store events."""
        self.released.start()
        self.events.start()

    def stop(self) -> None:
        """Store what waits, then end the threads."""
        self.events.stop()
        self.released.stop()


def create_app(server: Server) -> FastAPI:
    """The whole HTTP surface over one server; its lifespan starts and stops the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        server.start()
        yield
        server.stop()

    app = FastAPI(
        title="OneBasket", version="1", description=ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(Edge, measures=server.measures)
    for raised in (Fault, HTTPException, RequestValidationError):
        app.add_exception_handler(raised, _answer_fault)
    _add_recommendations(app, server)
    _add_events(app, server)
    _add_planning(app, server)
    _add_operations(app, server)
    _add_pages(app)
    describe_bodies(app, RecommendationRequest, Event, EventBatch)
    return app


async def _answer_fault(request: Request, raised: Exception) -> Response:
    return fault_response(fault_of(request, raised), request.scope["state"]["request_id"])


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, media_type=JSON)


def _add_recommendations(app: FastAPI, server: Server) -> None:
    @app.post(
        "/v1/recommendations",
        summary="A ranked list of products",
        responses=answered(RecommendationAnswer)
        | documented("malformed_json", "body_too_large", "unsupported_media_type", "invalid_request", "not_ready"),
        openapi_extra=documented_body("RecommendationRequest", EXAMPLE_REQUESTS)
        | documented_header("Accept-Language", "the language of the reasons where the request names none"),
        tags=["shop"],
    )
    async def recommendations(request: Request) -> Response:
        """For a customer, an account or nobody in particular. What is unknown is noted, never an error."""
        asked = await read_message(request, RecommendationRequest, server.settings.max_body_bytes)
        language = chosen_language(asked.language, ",".join(request.headers.getlist("accept-language")))
        answer = server.released.recommending().answer(asked, uuid.uuid4().hex, language)
        server.measures.recommended(answer)
        return _json(answer)


def _add_events(app: FastAPI, server: Server) -> None:
    @app.post(
        "/v1/events",
        summary="Store what customers did",
        responses=answered(EventsAnswer)
        | documented("malformed_json", "body_too_large", "too_many_events", "unsupported_media_type",
                     "invalid_request", "storage_unavailable"),
        openapi_extra=documented_body(one_of("Event", "EventBatch"), EXAMPLE_EVENTS),
        tags=["shop"],
    )  # fmt: skip
    async def events(request: Request) -> Response:
        """One event, or {"events": [...]}. What is counted as accepted is on disk; send the rest again."""
        body = await read_bytes(request, server.settings.max_body_bytes)
        good, faults = read_events(body, server.settings.max_batch_events)
        try:
            stored = await asyncio.wrap_future(server.events.put(good, datetime.now(UTC)))
        except StorageUnavailable:
            raise Fault("storage_unavailable", "no event of this request was stored: send it again later",
                        headers={"Retry-After": "5"}) from None  # fmt: skip
        rejected = len({fault.index for fault in faults})
        answer = EventsAnswer(accepted=stored.accepted, duplicates=stored.duplicates, rejected=rejected, faults=faults)
        server.measures.received(answer)
        return _json(answer)


def _add_planning(app: FastAPI, server: Server) -> None:
    faults = documented("stale_cursor", "invalid_request", "not_ready")

    @app.get("/v1/forecasts", summary="Daily demand as a distribution", tags=["planners"],
             responses=answered(ForecastPage, "text/csv") | faults)  # fmt: skip
    def forecasts(request: Request, query: Annotated[ForecastQuery, Query()]) -> Response:
        """Pages in JSON, or a stream of CSV (format=csv or Accept: text/csv)."""
        refuse_repeats(request)
        planning = server.released.planning()
        if _wants_csv(request, query):
            return _csv(planning.forecasts_csv(query), "forecasts.csv")
        return _json(planning.forecasts(query))

    @app.get("/v1/order-proposals", summary="What to order, and why", tags=["planners"],
             responses=answered(ProposalPage, "text/csv") | faults)  # fmt: skip
    def order_proposals(request: Request, query: Annotated[ProposalQuery, Query()]) -> Response:
        """Pages in JSON, or a stream of CSV (format=csv or Accept: text/csv)."""
        refuse_repeats(request)
        planning = server.released.planning()
        if _wants_csv(request, query):
            return _csv(planning.order_proposals_csv(query), "order-proposals.csv")
        return _json(planning.order_proposals(query))


def _wants_csv(request: Request, query: PlannerQuery) -> bool:
    return query.format == "csv" or (query.format is None and "text/csv" in request.headers.get("accept", ""))


def _csv(lines: Iterator[str], name: str) -> Response:
    return StreamingResponse(
        lines, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _add_operations(app: FastAPI, server: Server) -> None:
    @app.get("/v1/models", summary="What this server answers from", tags=["operations"],
             responses=answered(ModelsAnswer) | documented())  # fmt: skip
    async def models() -> Response:
        released = server.released
        return _json(ModelsAnswer(models=released.models, problems=[*released.missing, *released.problems]))

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="The process answers", tags=["operations"], responses=documented())
    @app.get("/livez", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="The bundles are open", tags=["operations"],
             responses=answered(Readiness) | documented("not_ready"))  # fmt: skip
    async def readyz() -> Response:
        missing = server.released.missing
        if missing:
            details = [Detail(where="bundles", what=why) for why in missing]
            raise Fault("not_ready", f"not ready: {missing[0]}", details, {"Retry-After": "5"})
        return _json(Readiness(ready=True, problems=server.released.problems))

    @app.get("/metrics", summary="Counters for Prometheus", tags=["operations"],
             responses=answered(None, "text/plain") | documented())  # fmt: skip
    def metrics() -> Response:
        return Response(server.measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_pages(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return docs_page()

    @app.get("/docs/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        found = docs_part(name)
        if found is None:
            raise HTTPException(404)
        return found

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return RedirectResponse("docs")
