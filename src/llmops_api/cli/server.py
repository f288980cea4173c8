"""The service under uvicorn, for `serve` and for the commands that bring their own."""

import logging.config
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pkgutil import resolve_name
from threading import Thread
from typing import Any

import uvicorn
from pydantic import SecretStr

from llmops_api.cli.failures import Failure, OutOfReach, WrongUse
from llmops_api.errors import BackendUnavailable
from llmops_api.settings import Settings, WrongSetting

APP = "llmops_api.app:create_app"
"""Resolved when a service is started, so that a command which talks to one elsewhere does not load it."""
SETTING_OF = {
    "state": "LLMOPS_DATABASE_URL or LLMOPS_DATA_DIR",
    "jobs": "LLMOPS_DATABASE_URL or LLMOPS_DATA_DIR",
    "lore": "LLMOPS_OPENSEARCH__URL or LLMOPS_DATA_DIR",
}
"""What says where a backend is."""


class Server(uvicorn.Server):
    """uvicorn around our application's own lifespan, so that a failure to start is an exception with its cause.

    It leaves signals to its caller: uvicorn would end the process before the lifespan has closed anything.
    """

    def __init__(self, settings: Settings, ready: Callable[[], None]) -> None:
        """`ready` is called when requests are answered. Raises `OutOfReach` when the application cannot be built."""
        try:
            self._app = resolve_name(APP)(settings)
        except Exception as error:
            raise could_not_start(error) from error
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                self._app,
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=settings.shutdown_grace_s,
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with self._app.router.lifespan_context(self._app):
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that is bound and does not listen yet. Raises `WrongUse` when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as undo:
            bound = undo.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            undo.pop_all()
            return bound
    except OSError as error:
        raise WrongUse(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def url_of(bound: socket.socket) -> str:
    """Where a client on this machine finds it."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - the address is read, not listened on
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def running(settings: Settings) -> Iterator[tuple[str, str]]:
    """A service of our own in a thread, on a free loopback port: its URL and a key that only we know.

    Raises `OutOfReach` when it does not start, `WrongUse` when its settings are why.
    """
    key = secrets.token_urlsafe(32)
    ready: Future[None] = Future()
    server = Server(settings.model_copy(update={"admin_key": SecretStr(key)}), lambda: ready.set_result(None))
    with bind("127.0.0.1", 0) as bound:
        url = url_of(bound)
        thread = Thread(target=_run, args=(server, bound, ready), name="service")
        thread.start()
        try:
            ready.result()
            yield url, key
        finally:
            server.should_exit = True
            thread.join()


def _run(server: Server, bound: socket.socket, ready: "Future[None]") -> None:
    try:
        server.run([bound])
    except Exception as error:
        if ready.done():
            raise
        ready.set_exception(could_not_start(error))


def could_not_start(error: Exception) -> Failure:
    """The failure to show for what stopped a service from starting."""
    if isinstance(error, WrongSetting):
        return WrongUse(str(error))
    if isinstance(error, BackendUnavailable) and error.backend in SETTING_OF:
        return OutOfReach(f"the service could not start: {error.message} {SETTING_OF[error.backend]} says where it is.")
    return OutOfReach(f"the service could not start: {str(error) or type(error).__name__}")


def log_to_stderr(level: str) -> None:
    """Every log line carries the id of the request that it belongs to."""
    configuration: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": "llmops_api.request_context.RequestIdFilter"}},
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["request"], "formatter": "line"}},
        "loggers": {
            "alembic": {"level": "WARNING"},
            "botocore": {"level": "INFO"},  # below, it writes every prompt that it sends
            "uvicorn": {"level": "WARNING"},
        },
        "root": {"level": level, "handlers": ["stderr"]},
    }
    logging.config.dictConfig(configuration)
    # What the lines do not show need not be found out for each of them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
