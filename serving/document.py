"""The parts of the OpenAPI document that FastAPI cannot see: bodies that we read ourselves."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Doc = dict[str, Any]
PLACE = "#/components/schemas/"
ABOUT = """\
Recommendations for a shop's customers, forecasts and order proposals for its planners, from one purchase
history. Every answer with a status of 400 or above has the one shape `FaultAnswer`. Ids are texts, days are
local business dates (YYYY-MM-DD), instants carry their offset from UTC."""


def documented_body(schema: str | Doc, examples: dict[str, Doc]) -> Doc:
    """A route's requestBody; `schema` is the name of a message or a schema."""
    body = {"$ref": PLACE + schema} if isinstance(schema, str) else schema
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body, "examples": examples}}}}


def documented_header(name: str, description: str) -> Doc:
    """An optional request header of a route that FastAPI does not read for us."""
    return {"parameters": [{"name": name, "in": "header", "required": False, "description": description,
                            "schema": {"type": "string"}}]}  # fmt: skip


def answered(message: type[BaseModel] | None, media_type: str | None = None) -> dict[int | str, Doc]:
    """A route's answer with status 200: a message in JSON, text of `media_type`, or either."""
    as_json = {"model": message} if message is not None else {}
    as_text = {"content": {media_type: {"schema": {"type": "string"}}}} if media_type is not None else {}
    return {200: as_json | as_text}


def one_of(*names: str) -> Doc:
    return {"anyOf": [{"$ref": PLACE + name} for name in names]}


def describe_bodies(app: FastAPI, *messages: type[BaseModel]) -> None:
    """Add the schemas of request messages to the app's document."""
    plain = app.openapi

    def openapi() -> Doc:
        if app.openapi_schema is None:
            document = plain()
            _, schemas = models_json_schema(
                [(message, "validation") for message in messages], ref_template=PLACE + "{model}"
            )
            document["components"]["schemas"] |= schemas["$defs"]
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
