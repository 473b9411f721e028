from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from litestar.testing import TestClient

from germane.serving import create_app
from germane.store import EventStore, open_store

from .fake import FakeRecommender


@pytest.fixture
def recommender() -> FakeRecommender:
    return FakeRecommender()


@pytest.fixture
def store(tmp_path) -> Iterator[EventStore]:
    with open_store(f"sqlite:///{tmp_path / 'germane.db'}") as opened:
        yield opened


@pytest.fixture
def client(recommender, store) -> Iterator[TestClient]:
    with TestClient(create_app(recommender, store), base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def address(recommender, store) -> Iterator[str]:
    """A real server on a port of its own."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    server = uvicorn.Server(uvicorn.Config(create_app(recommender, store), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        door.close()
