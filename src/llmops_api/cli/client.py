"""A running service, spoken to over its HTTP API, one call at a time."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from llmops_api.cli.events import Event, EventDecoder
from llmops_api.cli.failures import OutOfReach, Refused, WrongUse

T = TypeVar("T")

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
"""Seconds; a stream that is alive says something every 15."""
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
"""Of an upload nothing is heard before its end, however long it is."""


def path(*segments: str) -> str:
    """A path under `/v1`; each segment may hold anything."""
    return "/".join(("v1", *(quote(segment, safe="") for segment in segments)))


class Service:
    """Every method raises `Refused` for a problem document and `OutOfReach` when there is no proper answer."""

    def __init__(self, runner: asyncio.Runner, session: aiohttp.ClientSession, url: str) -> None:
        self._runner = runner
        self._session = session
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:
        return self._run(self._call("GET", path, params=parameters))

    def has(self, path: str) -> bool:
        """Whether there is such a record; none is under an id that is not valid."""
        try:
            self.get(path)
        except Refused as refused:
            if refused.status not in {404, 422}:
                raise
            return False
        return True

    def put(self, path: str, body: Mapping[str, Any], *, version: int | None = None) -> Any:
        """With `version`, only if the record still has it."""
        headers = {} if version is None else {"if-match": f'"{version}"'}
        return self._run(self._call("PUT", path, json=body, headers=headers))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._run(self._call("POST", path, json=body))

    def upload(self, path: str, content: Any, media_type: str | None = None) -> Any:
        """POST what aiohttp takes as data: bytes, an open file, an iterator, a form (which brings its media type)."""
        headers = {"content-type": media_type} if media_type else {}
        return self._run(self._call("POST", path, data=content, headers=headers, timeout=UPLOAD_TIMEOUT))

    def download(self, path: str) -> Generator[bytes, None, None]:
        """The body of a GET, in pieces. Closing it hangs up."""
        pieces = self._pieces(path)
        try:
            while (piece := self._run(_next(pieces))) is not None:
                yield piece
        finally:
            self._runner.run(pieces.aclose())

    async def _pieces(self, path: str) -> AsyncGenerator[bytes, None]:
        async with self._session.get(path) as response:
            await _check(response)
            async for piece in response.content.iter_any():
                yield piece

    def delete(self, path: str) -> Any:
        return self._run(self._call("DELETE", path))

    def items(self, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """All the items of a list, page after page."""
        page = self.get(path, **parameters)
        yield from page["items"]
        while page["next_cursor"]:
            page = self.get(path, **parameters, cursor=page["next_cursor"])
            yield from page["items"]

    def events(self, path: str, body: Mapping[str, Any]) -> Generator[Event, None, None]:
        """POST with `stream`, and the events as they come; the last one is `done`. Closing it hangs up."""
        events = self._events(path, {**body, "stream": True})
        try:
            while (event := self._run(_next(events))) is not None:
                yield event
        finally:
            self._runner.run(events.aclose())

    async def _events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
        async with self._session.post(path, json=body) as response:
            await _check(response)
            decoder = EventDecoder()
            async for piece in response.content.iter_any():
                for event in decoder.feed(piece):
                    if event.name == "error":
                        raise Refused(event.data)
                    yield event
                    if event.name == "done":
                        return
        raise OutOfReach(f"The answer of {self._url} broke off.")

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, path, **options) as response:
            await _check(response)
            return None if response.status == 204 else await response.json()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise WrongUse(f"{self._url} is not the URL of a service.") from error
        except (aiohttp.ContentTypeError, ValueError) as error:
            raise OutOfReach(f"{self._url} does not answer as llmops-api does.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutOfReach(f"{self._url} is out of reach: {error or type(error).__name__}") from error


async def _next(items: AsyncGenerator[T, None]) -> T | None:
    return await anext(items, None)


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise `Refused` unless the status is one of success."""
    if response.status < 300:
        return
    problem = await response.json() if response.content_type.endswith("json") else {}
    raise Refused({"title": response.reason, **problem, "status": response.status})


@contextmanager
def connect(url: str, key: str | None) -> Iterator[Service]:
    """Talk to the service at `url`; nothing is sent before the first call."""
    headers = {"authorization": f"Bearer {key}"} if key else {}

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(url.rstrip("/") + "/", headers=headers, timeout=TIMEOUT)

    with asyncio.Runner() as runner:
        try:
            session = runner.run(opened())
        except ValueError as error:
            raise WrongUse(f"{url} is not the URL of a service.") from error
        try:
            yield Service(runner, session, url)
        finally:
            runner.run(session.close())
