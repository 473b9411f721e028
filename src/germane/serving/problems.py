"""Every error as problem details (RFC 9457), whoever raised it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from ..errors import ConfigError, ConflictError, FetchError, FullError, GermaneError, NotFoundError, QueryError, StoreError
from ..wire import MalformedError

__all__ = ["FormError", "Problem", "ProblemError", "handlers", "problem"]

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


class ProblemError(Struct):
    """One fault."""

    field: str | None
    """The key at fault, such as ``events[3].time``; null where it is the whole."""
    detail: str


class Problem(Struct):
    """What went wrong, and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError]


class FormError(GermaneError):
    """A body that is not in the right form: the status says what is wrong with it."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def problem(status: int, detail: str, errors: list[ProblemError] | None = None) -> bytes:
    return msgspec.json.encode(Problem("about:blank", HTTPStatus(status).phrase, status, detail, errors or []))


def handlers() -> dict[Any, Any]:
    """Litestar's table of exceptions."""
    return {GermaneError: _mendable, HTTPException: _http, Exception: _fault}


def _mendable(_: Request[Any, Any, Any], error: GermaneError) -> Response[bytes]:
    faults = error.faults if isinstance(error, ConfigError) else (str(error),)
    field = error.field if isinstance(error, QueryError) else None
    return _response(_status(error), str(error), [ProblemError(field, fault) for fault in faults])


def _status(error: GermaneError) -> int:
    if isinstance(error, FormError):
        return error.status
    if isinstance(error, MalformedError):
        return 400
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, ConflictError):
        return 409
    if isinstance(error, FullError):
        return 507
    # An encoder that cannot be reached, or may send no more, is no fault of the request: requests hold no config.
    return 503 if isinstance(error, StoreError | FetchError | ConfigError) else 422


_SAID = {
    404: "there is nothing at {path}; /docs lists every call.",
    405: "{path} is not called by {method}; /docs lists every call.",
    413: "the body is larger than a request may be: send less at a time.",
}


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    said = _SAID.get(error.status_code, error.detail).format(path=request.scope["path"], method=request.method)
    return _response(error.status_code, said, [], error.headers)


def _fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("%s %s failed", request.method, request.scope.get("path_template", ""), exc_info=error)
    return _response(500, "the service failed at this request; its log says more.", [])


def _response(status: int, detail: str, errors: list[ProblemError], headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(problem(status, detail, errors), status_code=status, media_type=MEDIA_TYPE, headers=headers)


JSON = MediaType.JSON
