"""What goes to OpenSearch over the wire: who we say we are, how much at once, and what is done when it does not go well."""

import asyncio
import base64
import hashlib
import select
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from llmops_api.adapters.opensearch.index import open_lore_index
from llmops_api.errors import BackendUnavailable
from llmops_api.ports.lore_index import Chunk, Query, Tombstone
from llmops_api.settings import WrongSetting
from tests.contracts.lore_index import entry
from tests.servers.ports import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-key", "AWS_SESSION_TOKEN": "the-token"}
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret-key", "the-token")


class Upstream:
    """As much of OpenSearch as an index of keywords needs; `answer` may take over. It keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[web.Request], Awaitable[web.Response | None]] | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        answer = await self.answer(request) if self.answer else None
        if answer is not None:
            return answer
        last = request.path.rsplit("/", 1)[-1]
        actions = self.bodies[-1].count(b'"_id"')
        answers: dict[str, Any] = {
            "_mapping": {"index": {"mappings": {"_meta": {"embedder_id": "", "dimensions": 0}}}},
            "_bulk": {"errors": False, "items": [{"index": {"status": 200}}] * actions},
            "_refresh": {"_shards": {"failed": 0}},
        }
        return web.json_response(answers.get(last, {}))

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", upstream.handle)
    async with TestServer(application) as server:
        upstream.url = f"http://127.0.0.1:{server.port}"
        yield upstream


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Credentials come from the test alone."""
    for name in (*KEYS, "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


async def test_without_credentials_nothing_is_said_of_who_we_are(upstream: Upstream) -> None:
    async with open_lore_index(url=upstream.url) as lore:
        await lore.ping()

    assert "authorization" not in upstream.requests[0].headers


async def test_a_name_and_a_password_go_with_every_request(upstream: Upstream) -> None:
    async with open_lore_index(url=upstream.url, auth="basic", username="us", password="pass:word") as lore:
        await lore.write("world", [entry("d", "gate")])

    expected = "Basic " + base64.b64encode(b"us:pass:word").decode()
    assert {request.headers["authorization"] for request in upstream.requests} == {expected}


@pytest.mark.parametrize("service", ["es", "aoss"])
async def test_every_request_is_signed_for_aws(
    upstream: Upstream, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature is the one that AWS computes from what arrived: path, parameters, host, digest, body."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with open_lore_index(url=upstream.url, auth="sigv4", region="eu-west-1", service=service) as lore:
        await lore.write("world", [entry(f"d{n}", "gate " * 20_000) for n in range(3)])
        await lore.drop("world")

    assert len(upstream.requests) >= 4
    for request, body in zip(upstream.requests, upstream.bodies, strict=True):
        assert request.headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
        assert request.headers["x-amz-security-token"] == "the-token"
        assert request.headers["authorization"] == _signature(request, body, service)


def _signature(request: web.Request, body: bytes, service: str) -> str:
    signer = SigV4Auth(CREDENTIALS, service, "eu-west-1")
    signed = request.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} <= set(signed)
    again = AWSRequest(request.method, str(request.url), {name: request.headers[name] for name in signed}, body)
    again.context["timestamp"] = request.headers["x-amz-date"]
    text = signer.string_to_sign(again, signer.canonical_request(again))
    scope = f"AKIDEXAMPLE/{signer.credential_scope(again)}"
    return (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(signed)}, "
        f"Signature={signer.signature(text, again)}"
    )


async def test_credentials_that_are_nowhere_are_a_backend_that_does_not_answer(upstream: Upstream) -> None:
    async with open_lore_index(url=upstream.url, auth="sigv4", region="eu-west-1") as lore:
        with pytest.raises(BackendUnavailable):
            await lore.ping()

    assert upstream.requests == []


async def test_a_serverless_collection_is_not_asked_for_what_it_does_not_know(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a refresh nor a number of shards."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    options = {"url": upstream.url, "auth": "sigv4", "region": "eu-west-1", "service": "aoss"}
    async with open_lore_index(**options) as lore:
        await lore.create("world", embedder_id="", dimensions=0)
        await lore.write("world", [entry("d", "gate")])

    assert not any(path.endswith("_refresh") for path in upstream.paths())
    assert b"number_of" not in upstream.bodies[0]


async def test_a_serverless_collection_is_given_no_vectors(upstream: Upstream) -> None:
    """Its kind that holds them takes no ids, without which there is no order of writes: the mend is named."""
    options = {"url": upstream.url, "auth": "sigv4", "region": "eu-west-1", "service": "aoss"}
    async with open_lore_index(**options) as lore:
        with pytest.raises(WrongSetting, match="LLMOPS_EMBEDDER=none"):
            await lore.create("world", embedder_id="embedder", dimensions=3)

    assert upstream.requests == []


async def test_a_write_is_cut_by_bytes_and_by_count(upstream: Upstream) -> None:
    """Nothing over five megabytes or five hundred changes goes at once, and everything goes once, in order."""
    small = [Tombstone(f"small{n}", 1) for n in range(1200)]
    large = [entry(f"large{n}", "x" * 2_000_000) for n in range(3)]
    async with open_lore_index(url=upstream.url) as lore:
        await lore.write("world", [*small, *large])

    batches = [
        body for request, body in zip(upstream.requests, upstream.bodies, strict=True) if "_bulk" in request.path
    ]
    sent = [[orjson.loads(line)["index"]["_id"] for line in body.splitlines()[::2]] for body in batches]
    assert [name for batch in sent for name in batch] == [each.document_id for each in small] + [
        each.document_id for each in large
    ]
    assert max(map(len, sent)) == 500
    assert len(batches) > 3
    # A single document is sent whatever its size.
    assert all(len(body) <= 5_000_000 or len(names) == 1 for body, names in zip(batches, sent, strict=True))


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_a_backend_that_does_not_answer(upstream: Upstream, status: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"type": "security_exception", "reason": "secret"}}, status=status)

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        with pytest.raises(BackendUnavailable, match="credentials") as caught:
            await lore.search("world", Query(("gate",)))

    assert "secret" not in caught.value.message
    assert len(upstream.requests) == 1


async def test_an_answer_that_is_none_is_a_backend_that_does_not_answer(upstream: Upstream) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="{<html>", content_type="application/json")

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        with pytest.raises(BackendUnavailable):
            await lore.search("world", Query(("gate",)))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"the secret":'),
        (400, '{"the secret":'),
        (400, '{"error": {"type": "broken", "root_cause": [{"reason": "the secret"}]}}'),
        (503, '{"error": {"type": "broken", "root_cause": [{"reason": "the secret"}]}}'),
    ],
)
async def test_what_a_log_prints_of_a_failure_repeats_nothing_of_what_opensearch_said(
    upstream: Upstream, status: int, body: str
) -> None:
    """It may quote lore: neither the error does, nor what stands behind it."""

    async def answer(request: web.Request) -> web.Response | None:
        if request.path.endswith("_mapping"):
            return None
        return web.Response(text=body, status=status, content_type="application/json")

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        with pytest.raises(BackendUnavailable) as caught:
            await lore.versions("world")

    assert "secret" not in "".join(traceback.format_exception(caught.value))


async def test_a_host_that_is_not_ready_is_asked_as_often_as_we_mean_to(upstream: Upstream) -> None:
    """Five times: the client below repeats nothing that was answered."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"type": "busy"}}, status=503)

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        with pytest.raises(BackendUnavailable, match="503"):
            await lore.search("world", Query(("gate",)))

    assert len(upstream.requests) == 5


async def test_of_hosts_that_all_hang_two_are_waited_for() -> None:
    with ExitStack() as stack:
        hosts = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        urls = ",".join(f"http://127.0.0.1:{host.getsockname()[1]}" for host in hosts)
        async with open_lore_index(url=urls, timeout=0.2) as lore:
            with pytest.raises(BackendUnavailable, match="in time"):
                await lore.search("world", Query(("gate",)))
        asked = [host for host in hosts if select.select([host], [], [], 0)[0]]

    assert len(asked) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_documents_that_are_refused_in_passing_are_sent_again(upstream: Upstream, status: int) -> None:
    """A full queue, a shard that moves: no fault of theirs."""
    turns = iter([{"status": status, "error": {"type": "busy"}}, {"status": 201}])

    async def answer(request: web.Request) -> web.Response | None:
        if not request.path.endswith("_bulk"):
            return None
        return web.json_response({"errors": True, "items": [{"index": next(turns)}]})

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        await lore.write("world", [entry("d", "gate")])

    assert sum(path.endswith("_bulk") for path in upstream.paths()) == 2


async def test_a_refresh_that_missed_a_shard_is_done_again(upstream: Upstream) -> None:
    """What was written must be found."""
    failed = iter([1, 0])

    async def answer(request: web.Request) -> web.Response | None:
        return web.json_response({"_shards": {"failed": next(failed)}}) if "_refresh" in request.path else None

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        await lore.write("world", [entry("d", "gate")])

    assert next(failed, None) is None


async def test_a_host_that_is_not_there_or_hangs_leaves_the_work_to_the_others(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        urls = f"http://127.0.0.1:{free_port()}, http://127.0.0.1:{hanging.getsockname()[1]}, {upstream.url}"
        async with open_lore_index(url=urls, timeout=1) as lore:
            for number in range(6):
                await lore.write("world", [Tombstone(f"d{number}", 1)])

    assert sum(path.endswith("_bulk") for path in upstream.paths()) == 6


async def test_writers_at_once_share_refreshes_and_none_returns_before_its_own(upstream: Upstream) -> None:
    """Fifty writers do not refresh fifty times; each refresh that a writer waits for began after its write."""
    order: list[str] = []

    async def answer(request: web.Request) -> web.Response | None:
        last = request.path.rsplit("/", 1)[-1]
        order.append(last)
        if last == "_refresh":
            await asyncio.sleep(0.02)
        return None

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        await lore.versions("world", [])

        async def write(number: int) -> None:
            await lore.write("world", [Tombstone(f"d{number}", 1)])
            written = [n for n, body in enumerate(upstream.bodies) if f'"d{number}"'.encode() in body]
            assert any(path.endswith("_refresh") for path in upstream.paths()[written[0] :])

        await asyncio.gather(*(write(number) for number in range(50)))

    assert 1 <= order.count("_refresh") < 25


async def test_a_writer_that_gives_up_does_not_take_the_refresh_from_the_others(upstream: Upstream) -> None:
    refreshing = asyncio.Event()

    async def answer(request: web.Request) -> web.Response | None:
        if "_refresh" in request.path:
            refreshing.set()
            await asyncio.sleep(0.05)
        return None

    upstream.answer = answer
    async with open_lore_index(url=upstream.url) as lore:
        gives_up = asyncio.create_task(lore.write("world", [Tombstone("a", 1)]))
        await refreshing.wait()
        stays = asyncio.create_task(lore.write("world", [Tombstone("b", 1)]))
        gives_up.cancel()
        await stays

    assert sum(path.endswith("_refresh") for path in upstream.paths()) == 2


async def test_text_with_what_is_no_number_never_reaches_opensearch(upstream: Upstream) -> None:
    """A vector of NaN would be stored as null."""
    async with open_lore_index(url=upstream.url) as lore:
        with pytest.raises(Exception, match="finite"):
            await lore.write("world", [entry("d", chunks=(Chunk(0, 1, "k", np.full(3, np.nan, np.float32)),))])

    assert not any(path.endswith("_bulk") for path in upstream.paths())


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "ftp://x"}, "URL"),
        ({"auth": "magic"}, "AUTH"),
        ({"auth": "basic", "username": "u"}, "PASSWORD"),
        ({"auth": "sigv4"}, "REGION"),
        ({"prefix": "Upper"}, "PREFIX"),
        ({"engine": "nmslib"}, "ENGINE"),
        ({"shards": 0}, "SHARDS"),
        ({"timeout": 0}, "TIMEOUT"),
    ],
)
async def test_a_wrong_setting_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(WrongSetting, match=f"LLMOPS_OPENSEARCH__.*{named}"):
        async with open_lore_index(**given):
            pass


async def test_what_a_log_prints_of_wrong_settings_holds_no_password() -> None:
    given = {"auth": "basic", "password": "open sesame"}
    with pytest.raises(WrongSetting) as caught:
        async with open_lore_index(**given):
            pass

    assert "sesame" not in "".join(traceback.format_exception(caught.value))


async def test_settings_come_from_the_environment(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_OPENSEARCH__URL", upstream.url)
    monkeypatch.setenv("LLMOPS_OPENSEARCH__PREFIX", "mine-")
    async with open_lore_index() as lore:
        await lore.ping()

    assert upstream.paths()[0].startswith("/mine-")
