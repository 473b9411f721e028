"""The ASGI application: routes around one service, behind the guard, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.di import Provide

from ..store import EventStore
from ..wire import BODY_LIMIT
from .guard import Guard
from .head import Head
from .metrics import Measured, Metrics
from .openapi import document
from .problems import handlers
from .routes import ROUTES
from .service import Service
from .static import static

if TYPE_CHECKING:
    from ..recommender import Recommender

__all__ = ["create_app"]


def create_app(recommender: Recommender, store: EventStore) -> Any:
    """An ASGI application over a trained recommender and an open store, which stays the caller's to close.

    What the store holds is replayed and the language model loaded first, so the application is ready when this returns. Prefer ``serve``
    unless you bring a server of your own.
    """
    service, metrics = Service(recommender, store), Metrics()
    app = Litestar(
        route_handlers=[*ROUTES, *static(document(ROUTES, recommender.moments()["example"]))],
        dependencies={"service": Provide(lambda: service, sync_to_thread=False), "metrics": Provide(lambda: metrics, sync_to_thread=False)},
        exception_handlers=handlers(),
        request_max_body_size=BODY_LIMIT,
        openapi_config=None,
        logging_config=None,
    )
    return Measured(Guard(Head(app)), metrics)
