"""Hostile input over real HTTP: a clear 4xx, never a 500, and the service goes on as if nothing had been."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.system.deployments import Deployment
from tests.system.service import ADMIN_KEY, Service

HERE = Path(__file__).parent
FAILED = re.compile(r"llmops_api\.access: .* 500 [0-9.]+ ms|Exception in ASGI application")
"""How the log tells of a failure of ours."""
LIMIT = 16 * 1024 * 1024
JSON = {"content-type": "application/json"}
LINES = {"content-type": "application/x-ndjson"}
ASK = "/v1/worlds/emberfall/ask"
TALK = "/v1/worlds/emberfall/characters/guard/dialogue"
GENERATE = "/v1/text/generate"
LORE = "/v1/worlds/emberfall/lore"
INGESTS = "/v1/worlds/emberfall/ingests"


@pytest.fixture(scope="module")
def running(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = deployment.settings() | {"SEED": "true", "EMBEDDER": "none", "MAX_BODY_BYTES": str(LIMIT)}
    with Service(tmp_path_factory.mktemp("hostile") / "data", **settings) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """The service; after each test it still answers from the lore, and has answered 500 to nobody."""
    yield running
    answer = running.client.post(ASK, json={"question": "When does the Ember Gate close?"})
    assert answer.json()["citations"]
    assert not FAILED.search(running.log())


def _refused(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert answer.status_code in (statuses or (400, 422)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("path", "headers"), [(ASK, JSON), (f"{LORE}/a/b", JSON), (INGESTS, LINES), ("/v1/keys", JSON), (TALK, JSON)]
)
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_over_the_limit_is_refused(service: Service, path: str, headers: dict[str, str], chunked: bool) -> None:
    """Whether its length was declared or not: what comes after the limit is not kept."""
    piece = b'{"id": "a", "title": "A", "text": "b"}\n' * 8192
    pieces = (piece for _ in range(LIMIT // len(piece) + 2))
    method = "PUT" if path.startswith(LORE) else "POST"
    content = pieces if chunked else b"".join(pieces)
    _refused(service.client.request(method, path, content=content, headers=headers), 413)


def test_a_line_of_ten_megabytes_loses_no_other(service: Service) -> None:
    """It is reported with its number."""
    lines = [
        json.dumps({"id": each, "title": each, "text": each * size})
        for each, size in (("a", 1), ("b", 10**7), ("c", 1))
    ]
    started = service.client.post(INGESTS, content="\n".join(lines), headers=LINES).json()
    job = service.job(started["job_id"])

    assert (job["status"], job["result"]["documents"]) == ("succeeded", 2)
    assert [(each["line"], "longer" in each["message"]) for each in job["errors"]] == [(2, True)]


@pytest.mark.parametrize("path", [ASK, GENERATE, TALK, "/v1/worlds/emberfall", "/v1/keys", f"{LORE}/a"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"question": "\xff\xfe"}',
        b'\xef\xbb\xbf{"question": "\xc3"}',
        "{}".encode("utf-16"),
        b"[" * 200_000,
        b'{"question":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"question": 1' + b"0" * 100_000 + b"}",
        b'{"question": NaN}',
        b"\x00",
    ],
    ids=[
        "empty",
        "cut",
        "null",
        "list",
        "string",
        "latin",
        "bom",
        "utf16",
        "deep-list",
        "deep-object",
        "long",
        "nan",
        "nul",
    ],
)
def test_what_is_not_a_json_object_in_utf_8_is_refused(service: Service, path: str, body: bytes) -> None:
    method = "PUT" if path.startswith("/v1/worlds") and not path.endswith(("ask", "dialogue")) else "POST"
    _refused(service.client.request(method, path, content=body, headers=JSON))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, '"1"', "true", "[]"])
def test_what_is_not_a_number_is_none(service: Service, value: str) -> None:
    """As a parameter of a model, a fact, a limit, a deadline."""
    for path, body in (
        (GENERATE, f'{{"prompt": "a", "parameters": {{"temperature": {value}}}}}'),
        (GENERATE, f'{{"prompt": "a", "parameters": {{"seed": {value}}}}}'),
        (GENERATE, f'{{"prompt": "a", "deadline_ms": {value}}}'),
        (ASK, f'{{"question": "a", "limit": {value}}}'),
    ):
        _refused(service.client.post(path, content=body, headers=JSON))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 400, "[]", "{}", "null"])
def test_a_fact_is_a_value_that_json_can_carry(service: Service, value: str) -> None:
    _refused(
        service.client.post(TALK, content=f'{{"player_id": "p", "text": "a", "facts": {{"x": {value}}}}}', headers=JSON)
    )


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "9" * 300,
        "[" * 300 + "]" * 300,
        '"\\u0000"',
        '{"\\u0000": 1}',
        '"\\ud800"',
    ],
)
def test_metadata_that_cannot_be_kept_is_refused(service: Service, value: str) -> None:
    body = f'{{"title": "a", "text": "b", "metadata": {{"x": [{value}]}}}}'
    _refused(service.client.put(f"{LORE}/hostile/metadata", content=body, headers=JSON))


@pytest.mark.parametrize("value", ["NaN", "1e999", "9" * 300, "[" * 300 + "]" * 300])
def test_a_schema_that_cannot_be_passed_on_is_refused(service: Service, value: str) -> None:
    """With a key too, which stands for the whole body."""
    body = f'{{"prompt": "a", "response_format": {{"type": "json_schema", "schema": {{"x": {value}}}}}}}'
    _refused(service.client.post(GENERATE, content=body, headers=JSON | {"idempotency-key": value[:9]}))


def test_of_a_name_that_comes_twice_the_last_counts(service: Service) -> None:
    """As in the JSON readers of every browser; nothing is half of each."""
    body = b'{"question": "Who?", "question": "When does the Ember Gate close?"}'
    assert service.client.post(ASK, content=body, headers=JSON).json()["citations"]


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u2060\ufeff", "\u202e", "\x00", "a\x00b", "\t\n", "\u3000"])
def test_text_of_which_nothing_is_seen_is_none(service: Service, text: str) -> None:
    """As a question, a player's line, a player, a title, a name."""
    for method, path, body in (
        ("POST", ASK, {"question": text}),
        ("POST", TALK, {"player_id": "p", "text": text}),
        ("POST", TALK, {"player_id": text, "text": "Hello"}),
        ("PUT", f"{LORE}/hostile/text", {"title": text, "text": "b"}),
        ("PUT", "/v1/worlds/emberfall/characters/hostile", {"name": text}),
    ):
        _refused(service.client.request(method, path, json=body), 422)


@pytest.mark.parametrize(
    "name", ["%00", "%FF", "%E2%80%8B", "%20", "a%0Ab", "..", "%2E%2E", "a" * 300, "%F0%9F%92%A9", "%ED%A0%80", "a%5Cb"]
)
def test_a_path_of_other_characters_leads_nowhere(service: Service, name: str) -> None:
    """As a world, a document, a character, a conversation, a job."""
    for path in (
        f"/v1/worlds/{name}",
        f"{LORE}/{name}",
        f"/v1/worlds/emberfall/characters/{name}",
        f"/v1/worlds/emberfall/conversations/{name}",
        f"/v1/jobs/{name}",
    ):
        status, problem = _raw(service, f"GET {path} HTTP/1.1\r\nAuthorization: Bearer {ADMIN_KEY}\r\n")
        assert status in {400, 404, 422}, path
        assert problem["status"] == status


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Bearer",
        b"Authorization: Basic YTpi",
        b"Authorization: Bearer " + b"a" * 20_000,
        b"Authorization: Bearer llmops_\xe2\x80\x8b_x",
    ],
)
def test_a_broken_key_is_no_key(service: Service, header: bytes) -> None:
    status, problem = _raw(service, b"GET /v1/worlds HTTP/1.1\r\n" + header + b"\r\n")

    assert status == problem["status"] == 401


@pytest.mark.parametrize("value", [b"", b"a" * 300])
def test_a_broken_idempotency_key_is_refused(service: Service, value: bytes) -> None:
    body = b'{"question": "Who?"}'
    head = f"POST {ASK} HTTP/1.1\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\n"
    fields = b"Content-Length: %d\r\nIdempotency-Key: %s\r\n" % (len(body), value)
    status, problem = _raw(service, head.encode() + fields, body)

    assert status == problem["status"] == 422


@pytest.mark.parametrize("value", ["abc", '"x"', "-1", "1" * 30, '"1", "2"', "W/"])
def test_a_version_that_is_none_is_refused(service: Service, value: str) -> None:
    _refused(service.client.delete(f"{LORE}/place/ember-gate", headers={"if-match": value}), 422)


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data", "a" * 5000, ""])
def test_a_body_of_another_media_type_is_refused(service: Service, media_type: str) -> None:
    """Where JSON is asked for, and where lines are."""
    headers = {"content-type": media_type}
    _refused(service.client.post(ASK, content=b'{"question": "Who?"}', headers=headers))
    if media_type != "text/plain":
        _refused(service.client.post(INGESTS, content=b'{"id": "a", "title": "A", "text": "b"}', headers=headers))


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n']
)
def test_a_broken_form_is_refused(service: Service, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    _refused(service.client.post(INGESTS, content=body, headers=headers))


def test_an_upload_that_breaks_off_leaves_nothing(service: Service) -> None:
    """Not one document of it: the client never heard that it was taken."""
    head = f"POST {INGESTS} HTTP/1.1\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/x-ndjson\r\n"
    line = json.dumps({"id": "hostile/broken", "title": "Broken", "text": "off"}).encode() + b"\n"
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(head.encode() + b"Host: x\r\nContent-Length: 1000000\r\n\r\n" + line * 600)

    assert service.client.get(f"{LORE}/hostile/broken").status_code == 404


def test_what_is_not_http_is_answered_or_dropped(service: Service) -> None:
    for noise in (
        b"\x16\x03\x01" * 50,
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"\x00" * 4096,
    ):
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(64)[:12] in {b"", b"HTTP/1.1 400"}


def _raw(service: Service, head: str | bytes, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Status and problem of a request as a careless client writes it, byte for byte."""
    sent = head.encode() if isinstance(head, str) else head
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(sent + b"Host: x\r\nConnection: close\r\n\r\n" + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    start, _, content = received.partition(b"\r\n\r\n")
    return int(start.split()[1]), json.loads(content)


@pytest.mark.parametrize("phases", ["examples,coverage,fuzzing", "stateful"])
def test_schemathesis_finds_nothing(tmp_path: Path, settings: dict[str, str], phases: str) -> None:
    """Over the whole document, with every check; SCHEMATHESIS_EXAMPLES asks for a longer run with a seed of its own."""
    examples = os.environ.get("SCHEMATHESIS_EXAMPLES")
    with Service(tmp_path / "data", **settings, SEED="true") as service:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(HERE / "schemathesis.toml"),
        ]
        options = ["--max-examples", examples] if examples else ["--max-examples", "25", "--seed", "20"]
        ran = subprocess.run(
            [*command, "run", f"{service.url}/openapi.json", "--phases", phases, *options],
            cwd=tmp_path,
            env=os.environ | {"LLMOPS_KEY": ADMIN_KEY, "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not FAILED.search(service.log())
    assert ran.returncode == 0, ran.stdout
