"""A stand-in for a running service, and the command line run inside the test."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web

from llmops_api.cli import main


@dataclass(frozen=True)
class Answer:
    """`events` makes it a stream of `(name, data)`, which `hangs` at its end, `raw` one of bytes; `before` runs when it is
    asked for."""

    body: Any = None
    status: int = 200
    events: tuple[tuple[str, Any], ...] = ()
    before: Callable[[], None] = lambda: None
    hangs: bool = False
    raw: bytes | None = None


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]


@dataclass
class FakeService:
    """Answers what the test prepares, the last answer again and again; remembers what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)

    def answers(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.rel_url.raw_path
        self.asked.append(Asked(request.method, path, body, headers, dict(request.query)))
        queue = self._answers.get((request.method, request.path))
        if not queue:
            return web.json_response({"status": 404, "detail": "There is no such thing."}, status=404)
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        answer.before()
        if answer.raw is not None:
            return web.Response(body=answer.raw, content_type="application/x-ndjson")
        if not answer.events:
            return web.json_response(answer.body, status=answer.status)
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        for number, (name, data) in enumerate(answer.events, start=1):
            text = web.json_response(data).text
            await stream.write(f": alive\n\nid: {number}\nevent: {name}\ndata: {text}\n\n".encode())
        with suppress(ConnectionResetError):
            while answer.hangs:
                await asyncio.sleep(0.02)
                await stream.write(b": alive\n\n")
        return stream


@pytest.fixture
def service() -> Iterator[FakeService]:
    """On a free port of this machine, on an event loop of its own."""
    fake = FakeService()
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", fake.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield fake
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(
    service: FakeService, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`llmops-api` with these arguments against the stand-in, reading `stdin`."""

    def run(*arguments: str, stdin: str = "", url: str | None = None) -> Outcome:
        (tmp_path / "stdin").write_text(stdin, "utf-8", "surrogateescape")
        with (tmp_path / "stdin").open(encoding="utf-8") as given:
            monkeypatch.setattr("sys.stdin", given)
            monkeypatch.setenv("LLMOPS_URL", url or service.url)
            monkeypatch.setenv("LLMOPS_KEY", "the-key")
            with pytest.raises(SystemExit) as end:
                main(arguments)
        captured = capfd.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    return run
