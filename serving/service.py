"""The BentoML service: `bentoml serve` from a checkout or from a built bento. Workspace and more: ONEBASKET_*.

BentoML starts and watches the worker processes. Its own pages, metrics, tracing and access log are off: the
first loads scripts from elsewhere, the second labels by raw path, the others cost more than an answer.
"""

import logging
import os

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.app import Server, create_app
from serving.settings import settings_from

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
LONGEST_ANSWER_SECONDS = 600

settings = settings_from(os.environ)
logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
logging.getLogger("onebasket").setLevel(settings.log_level)
server = Server.of(settings)
app = create_app(server)


class Ours:
    """Hands every request to our app, so that unknown paths and probes are answered in our shape too."""

    def __init__(self, app: ASGIApp, ours: ASGIApp) -> None:
        self._bentoml, self._ours = app, ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._ours if scope["type"] == "http" else self._bentoml)(scope, receive, send)


@bentoml.service(
    name="onebasket",
    workers=settings.workers,
    http={"host": str(settings.host), "port": settings.port},
    traffic={"timeout": LONGEST_ANSWER_SECONDS},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={} if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else {"excluded_urls": ".*"},
)
@bentoml.asgi_app(app)
class OneBasket:
    """Nothing of its own: the mounted app's lifespan starts and stops what answers."""


OneBasket.add_asgi_middleware(Ours, ours=app)  # type: ignore[attr-defined]  # the decorator made a Service of it
