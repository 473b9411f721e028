"""From a run to a running service."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..store import EventStore, open_store
from .guard import is_loopback

if TYPE_CHECKING:
    from ..recommender import Recommender

__all__ = ["check_host", "serve"]


def serve(
    run: str | os.PathLike[str] | Recommender,
    store: str | EventStore | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    trust: str | os.PathLike[str] | None = None,
) -> None:
    """Serve a run (its folder, or a recommender) until interrupted; ``port=0`` takes a free one. ``trust``: a public key that has to have signed it.

    ``store``: an address or an open store; absent: ``$GERMANE_STORE``, else ``germane.db`` in the current folder.
    """
    check_host(host)
    import uvicorn

    from ..bundle import load
    from .app import create_app

    recommender = load(run, trust=trust) if isinstance(run, str | os.PathLike) else run
    with _listen(host, port) as door:
        opened = store if isinstance(store, EventStore) else open_store(store)
        try:
            app = create_app(recommender, opened)
            name, taken = door.getsockname()[:2]
            print(f"Germane answers at http://{f'[{name}]' if ':' in name else name}:{taken} (Ctrl-C ends it).", flush=True)
            config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=10)
            uvicorn.Server(config).run(sockets=[door])
        finally:
            if opened is not store:
                opened.close()


def check_host(host: str) -> None:
    """Refuse an address that others could reach."""
    if not is_loopback(host):
        raise ConfigError(f"host {host}: a service without keys answers this machine only: leave the host out, or say 127.0.0.1, localhost or ::1.")


def _listen(host: str, port: int) -> socket.socket:
    """Bound before anything is loaded into it, so that a taken port is one sentence."""
    if not 0 <= port <= 65535:
        raise ConfigError(f"port {port}: ports are numbers from 0 (any free one) to 65535.")
    # TCP is said, since asyncio sends answers at once only where it is; else the second part of each waits 40 ms for the client to take the first.
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(128)  # whoever comes while the model is being prepared waits
    except OSError as error:
        door.close()
        raise ConfigError(f"port {port} on {host} cannot be had ({error.strerror}): choose another, or 0 for any free one.") from None
    return door
