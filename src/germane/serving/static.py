"""The page's files, as they lie in the package."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

__all__ = ["static"]

TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def static(openapi: dict[str, Any]) -> list[HTTPRouteHandler]:
    """``/``, ``/docs``, ``/openapi.json`` and what the two pages load."""
    folder = resources.files("germane.serving") / "page"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in TYPES}
    described = msgspec.json.encode(openapi)

    def answer(name: str) -> Response[bytes]:
        if name not in files:
            raise NotFoundException
        return Response(files[name], media_type=TYPES[name.rpartition(".")[2]])

    @get("/", sync_to_thread=False)
    def index() -> Response[bytes]:
        return answer("index.html")

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[bytes]:
        return answer("docs.html")

    @get("/page/{name:str}", sync_to_thread=False)
    def page(name: FromPath[str]) -> Response[bytes]:
        return answer(name)

    @get("/openapi.json", sync_to_thread=False)
    def schema() -> Response[bytes]:
        return Response(described, media_type="application/json")

    return [index, docs, page, schema]
