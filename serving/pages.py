"""The page /docs: Swagger UI over /openapi.json, from files that BentoML brings along, none from elsewhere."""

from importlib.resources import files

from starlette.responses import HTMLResponse, Response

PARTS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>OneBasket</title><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body>
<div id="page">The page needs JavaScript; the document itself is <a href="openapi.json">openapi.json</a>.</div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null})</script>
</body>
</html>
"""


def docs_page() -> Response:
    return HTMLResponse(PAGE)


def docs_part(name: str) -> Response | None:
    """One of the page's files, None if it is not one."""
    if name not in PARTS:
        return None
    content = files("bentoml").joinpath("_internal", "server", "static_content", name).read_bytes()
    return Response(content, media_type=PARTS[name], headers={"Cache-Control": "max-age=86400"})
