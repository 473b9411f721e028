"""The OpenAPI document, made from the routes and the forms that they name."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from .. import __version__
from .forms import Call
from .problems import MEDIA_TYPE, Problem

__all__ = ["document"]

_REF = "#/components/schemas/{name}"


def document(routes: Sequence[HTTPRouteHandler], example: dict[str, Any] | None = None) -> dict[str, Any]:
    """OpenAPI 3.1 of every route that carries a ``Call``; ``example`` is a query that works here."""
    documented = [(route, route.opt["call"]) for route in routes if "call" in route.opt]
    forms: set[type[Struct]] = {
        form for _, call in documented for form in (call.body, *call.answers.values()) if isinstance(form, type) and issubclass(form, Struct)
    }
    named: list[Any] = sorted([*forms, Problem], key=str)
    _, components = msgspec.json.schema_components(named, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route, call in documented:
        for path in route.paths:
            method = next(iter(route.http_methods)).lower()
            paths.setdefault(path.replace("{id:path}", "{id}"), {})[method] = _operation(route, call, "{id" in path, example)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Germane",
            "version": __version__,
            "summary": "Recommendations that answer the moment.",
            "description": "Every error is a problem-details object. Ids are text; times are ISO or an epoch.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(call.tag for _, call in documented)],
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: HTTPRouteHandler, call: Call, has_id: bool, example: dict[str, Any] | None) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if has_id:
        said = "The rest of the path, percent-decoded."
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, "description": said})
    for name, schema in call.parameters.items():
        plain = {key: value for key, value in schema.items() if key != "description"}
        parameters.append({"name": name, "in": "query", "schema": plain, "description": schema["description"]})
    operation: dict[str, Any] = {"operationId": route.handler_name.rpartition(".")[2], "summary": call.summary, "tags": [call.tag]}
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        content: dict[str, Any] = {"schema": _schema(call.body)}
        if example is not None and operation["operationId"] == "recommend":
            content["example"] = example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = {str(status): _response(status, form) for status, form in call.answers.items()} | {
        str(status): {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _schema(Problem)}}}
        for status in sorted({*call.problems, 403, 500})
    }
    return operation


def _response(status: int, form: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if form is str:
        said["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif form is not None:
        said["content"] = {"application/json": {"schema": _schema(form)}}
    return said


def _schema(form: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([form], ref_template=_REF)
    return schema
