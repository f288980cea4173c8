"""Amazon Bedrock as botocore speaks it over real HTTP: to moto's serializer, and to a server that misbehaves on cue."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from pydantic import SecretStr

from llmops_api.adapters.bedrock.client import BedrockSettings
from llmops_api.adapters.bedrock.model import open_chat_model
from llmops_api.adapters.wrappers.chat import Limits, wrapped
from llmops_api.bootstrap import open_backends
from llmops_api.core.models import Models
from llmops_api.errors import BadInput, ProviderDenied, ProviderGarbled, ProviderThrottled
from llmops_api.ports.chat import ChatModel, ChatRequest, FinishReason, Message, Parameters, ResponseFormat, Role, Usage
from llmops_api.settings import Settings, WrongSetting
from tests.contracts.chat_model import SCHEMA, ChatModelContract, a_request, chunks_of
from tests.upstreams.bedrock_wire import TEXT
from tests.upstreams.servers import OwnUpstream, Server

ARN = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-lite-v1:0"

pytestmark = pytest.mark.usefixtures("aws_keys")


class TestAgainstMoto(ChatModelContract):
    answering = "amazon.nova-lite-v1:0"
    slow = "amazon.nova-pro-v1:0"

    @pytest.fixture
    async def model(self, moto_bedrock: Server) -> AsyncIterator[ChatModel]:
        async with open_chat_model(region="eu-central-1", endpoint_url=moto_bedrock.url) as model:
            yield model


@pytest.fixture
async def model(bedrock: OwnUpstream) -> AsyncIterator[ChatModel]:
    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url) as model:
        yield model


class TestAgainstOurOwn(ChatModelContract):
    answering = ARN
    slow = "hanging"

    @pytest.fixture
    def model(self, model: ChatModel) -> ChatModel:
        return model


def sent(bedrock: OwnUpstream) -> dict[str, Any]:
    """The last call as it came."""
    call: dict[str, Any] = bedrock.get("/requests")[-1]
    return call


async def asked(
    bedrock: OwnUpstream, request: ChatRequest, *, streamed: bool = False, **options: Any
) -> dict[str, Any]:
    """The body that a request becomes under these settings."""
    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url, **options) as model:
        await (chunks_of(model, request) if streamed else model.generate(request))
    body: dict[str, Any] = sent(bedrock)["body"]
    return body


async def test_the_request_speaks_the_fields_of_converse(bedrock: OwnUpstream):
    parameters = Parameters(temperature=0.5, top_p=0.9, max_tokens=64, stop_sequences=("END",), seed=7)

    body = await asked(bedrock, replace(a_request(NOVA), parameters=parameters))

    assert body == {
        "system": [{"text": "You keep the gate."}],
        "messages": [{"role": "user", "content": [{"text": "When does the gate close?"}]}],
        "inferenceConfig": {"temperature": 0.5, "topP": 0.9, "maxTokens": 64, "stopSequences": ["END"]},
    }


async def test_a_seed_goes_to_the_models_that_take_one(bedrock: OwnUpstream):
    request = replace(a_request("cohere.command-r-plus-v1:0"), parameters=Parameters(seed=7))

    assert (await asked(bedrock, request))["additionalModelRequestFields"] == {"seed": 7}


async def test_a_schema_is_sent_as_a_string_in_the_output_configuration(bedrock: OwnUpstream):
    request = replace(a_request(NOVA), response_format=ResponseFormat(SCHEMA, name="hour"))

    text_format = (await asked(bedrock, request))["outputConfig"]["textFormat"]

    assert text_format["type"] == "json_schema"
    assert text_format["structure"]["jsonSchema"]["name"] == "hour"
    assert json.loads(text_format["structure"]["jsonSchema"]["schema"]) == SCHEMA


async def test_turns_alternate_and_begin_with_the_user_and_nothing_is_blank(bedrock: OwnUpstream):
    said = [
        (Role.ASSISTANT, "Halt!"),
        (Role.SYSTEM, "You keep the gate."),
        (Role.USER, "Me?"),
        (Role.ASSISTANT, " \n"),
        (Role.USER, "Yes, me."),
        (Role.SYSTEM, "It rains."),
        (Role.ASSISTANT, "You."),
        (Role.USER, "Oh."),
    ]

    body = await asked(bedrock, ChatRequest(NOVA, tuple(Message.of(role, text) for role, text in said)))

    assert body["system"] == [{"text": "You keep the gate."}, {"text": "It rains."}]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "..."}]},
        {"role": "assistant", "content": [{"text": "Halt!"}]},
        {"role": "user", "content": [{"text": "Me?"}, {"text": "Yes, me."}]},
        {"role": "assistant", "content": [{"text": "You."}]},
        {"role": "user", "content": [{"text": "Oh."}]},
    ]


@pytest.mark.parametrize(
    "name", [ARN, HAIKU, NOVA, "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"]
)
async def test_a_model_is_named_as_aws_names_it(model: ChatModel, bedrock: OwnUpstream, name: str):
    await model.generate(a_request(name))

    assert sent(bedrock)["model"] == name


@pytest.mark.parametrize("streamed", [False, True])
async def test_settings_for_all_calls_stand_in_each(bedrock: OwnUpstream, streamed: bool):
    options = {
        "guardrail_id": "gr1",
        "guardrail_version": "3",
        "guardrail_stream_processing_mode": "async",
        "latency": "optimized",
        "service_tier": "flex",
    }

    body = await asked(bedrock, a_request(NOVA), streamed=streamed, **options)

    mode = {"streamProcessingMode": "async"} if streamed else {}
    assert body["guardrailConfig"] == {"guardrailIdentifier": "gr1", "guardrailVersion": "3", **mode}
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["serviceTier"] == {"type": "flex"}


PERSONA = Message.of(Role.SYSTEM, "You keep the gate of Emberfall.", stable=True)
LORE = Message.of(Role.USER, "<lore>The gate closes at dusk.</lore> When?")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cache_point_stands_after_what_is_stable_and_its_tokens_are_counted(
    model: ChatModel, bedrock: OwnUpstream, streamed: bool
):
    request = ChatRequest(ARN, (PERSONA, LORE))

    usage = (await chunks_of(model, request))[-1].usage if streamed else (await model.generate(request)).usage

    assert sent(bedrock)["body"]["system"] == [{"text": PERSONA.text}, {"cachePoint": {"type": "default"}}]
    assert usage == Usage(142, 9, cache_read_tokens=100, cache_write_tokens=30)


async def test_of_several_stable_messages_the_last_ends_the_prefix(model: ChatModel, bedrock: OwnUpstream):
    earlier = Message.of(Role.USER, "Who are you?", stable=True)

    await model.generate(ChatRequest(ARN, (PERSONA, earlier, Message.of(Role.ASSISTANT, "The guard."), LORE)))

    body = sent(bedrock)["body"]
    assert body["system"] == [{"text": PERSONA.text}]
    assert body["messages"][0]["content"] == [{"text": "Who are you?"}, {"cachePoint": {"type": "default"}}]


@pytest.mark.parametrize(
    ("mode", "name", "cached"),
    [
        ("auto", NOVA, True),
        ("auto", "anthropic.claude-3-haiku-20240307-v1:0", False),
        ("auto", "meta.llama3-1-70b-instruct-v1:0", False),
        ("auto", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", False),
        ("always", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", True),
        ("never", NOVA, False),
    ],
)
async def test_only_models_that_take_cache_points_get_one(bedrock: OwnUpstream, mode: str, name: str, cached: bool):
    body = await asked(bedrock, ChatRequest(name, (PERSONA, LORE)), prompt_cache=mode)

    assert ({"cachePoint": {"type": "default"}} in body["system"]) is cached


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_prefix_under_the_floor_of_the_model_is_told_once(
    model: ChatModel, caplog: pytest.LogCaptureFixture, streamed: bool
):
    for name in (HAIKU, HAIKU, ARN):
        request = ChatRequest(name, (PERSONA, LORE))
        await (chunks_of(model, request) if streamed else model.generate(request))

    [told] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert HAIKU in told
    assert "4096 tokens" in told
    assert "Emberfall" not in told


async def test_requests_are_signed_with_the_keys_of_the_environment(model: ChatModel, bedrock: OwnUpstream):
    await model.generate(a_request(NOVA))

    headers = sent(bedrock)["headers"]
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/eu-central-1/bedrock/aws4_request" in headers["authorization"]
    assert "host;x-amz-date" in headers["authorization"]
    assert headers["x-amz-date"]


@pytest.mark.parametrize("variable", ["LLMOPS_BEDROCK__BEARER_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"])
async def test_a_bearer_token_stands_in_place_of_a_signature(
    bedrock: OwnUpstream, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "a-bearer-token")

    await asked(bedrock, a_request(NOVA))

    headers = sent(bedrock)["headers"]
    assert headers["authorization"] == "Bearer a-bearer-token"
    assert "x-amz-date" not in headers


async def test_with_a_bearer_token_nobody_looks_for_keys_and_it_is_never_shown(
    bedrock: OwnUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = touch {tmp_path / 'looked'}\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    await asked(bedrock, a_request(NOVA), bearer_token="a-bearer-token")

    assert sent(bedrock)["headers"]["authorization"] == "Bearer a-bearer-token"
    assert not (tmp_path / "looked").exists()
    assert "a-bearer-token" not in repr(BedrockSettings(bearer_token=SecretStr("a-bearer-token")))


async def test_a_profile_brings_its_region_and_keys(
    bedrock: OwnUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "config").write_text("[profile studio]\nregion = ap-northeast-1\n", "utf-8")
    (tmp_path / "credentials").write_text(
        "[studio]\naws_access_key_id = AKIASTUDIO\naws_secret_access_key = x\n", "utf-8"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    async with open_chat_model(profile="studio", endpoint_url=bedrock.url) as model:
        await model.generate(a_request(NOVA))

    assert "Credential=AKIASTUDIO/" in sent(bedrock)["headers"]["authorization"]
    assert "/ap-northeast-1/bedrock/" in sent(bedrock)["headers"]["authorization"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "LLMOPS_BEDROCK__REGION"),
        ({"region": "eu-central-1", "profile": "nobody"}, "__PROFILE"),
        ({"region": "eu-central-1", "endpoint_url": "somewhere"}, "__ENDPOINT_URL"),
        ({"region": "eu-central-1", "latency": "none"}, "LLMOPS_BEDROCK__LATENCY must be standard or optimized"),
        (
            {"region": "eu-central-1", "prompt_cache": "on"},
            "LLMOPS_BEDROCK__PROMPT_CACHE must be auto, always or never",
        ),
    ],
)
async def test_settings_that_cannot_be_are_named(options: dict[str, Any], named: str):
    with pytest.raises(WrongSetting, match=named):
        async with open_chat_model(**options):
            pass


async def test_without_credentials_the_call_is_denied_and_nobody_asks_the_network(
    bedrock: OwnUpstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url) as model:
        with pytest.raises(ProviderDenied):
            await model.generate(a_request(NOVA))
        with pytest.raises(ProviderDenied):
            await model.ping()
    assert bedrock.get("/requests") == []


async def test_opening_reads_the_files_of_the_sdk_in_a_thread(bedrock: OwnUpstream, monkeypatch: pytest.MonkeyPatch):
    load, threads = JSONFileLoader.load_file, dict[str, threading.Thread]()

    def noted(self: JSONFileLoader, path: str) -> Any:
        threads.setdefault(path, threading.current_thread())
        return load(self, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", noted)

    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url):
        pass

    here = [path for path, thread in threads.items() if thread is threading.main_thread()]
    assert [path for path in threads if "bedrock-runtime" in path]
    assert not [path for path in here if "service-2" in path or "endpoint" in path]


async def test_no_call_is_made_when_it_opens(model: ChatModel, bedrock: OwnUpstream):
    assert bedrock.get("/requests") == []


async def test_a_ping_is_signed_and_asks_no_model(model: ChatModel, bedrock: OwnUpstream):
    await model.ping()

    assert sent(bedrock)["model"] == ""
    assert "AKIATEST" in sent(bedrock)["headers"]["authorization"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("guardrail_intervened", FinishReason.CONTENT_FILTER),
        ("content_filtered", FinishReason.CONTENT_FILTER),
    ],
)
async def test_each_stop_reason_has_its_finish_reason(model: ChatModel, reason: str, expected: FinishReason):
    request = a_request(f"stops:{reason.replace('_', '.')}")

    assert (await model.generate(request)).finish_reason is expected
    assert (await chunks_of(model, request))[-1].finish_reason is expected


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use", "of_a_later_day"])
async def test_an_answer_that_the_model_could_not_finish_is_garbled(model: ChatModel, reason: str):
    request = a_request(f"stops:{reason.replace('_', '.')}")

    with pytest.raises(ProviderGarbled):
        await model.generate(request)
    with pytest.raises(ProviderGarbled):
        await chunks_of(model, request)


async def test_a_stream_cut_anywhere_even_inside_a_character_is_read_whole(model: ChatModel):
    chunks = await chunks_of(model, a_request("bytewise"))

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].usage == Usage(12, 9)


async def test_a_stream_without_a_usage_is_whole(model: ChatModel):
    assert (await chunks_of(model, a_request("no-usage")))[-1].usage == Usage()


async def test_deltas_come_as_they_are_made(model: ChatModel):
    async with aclosing(model.stream(a_request("silent-after-first"))) as chunks:
        assert (await anext(chunks)).text == "The "


@pytest.mark.parametrize("name", [NOVA, "lingering"])
async def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next(
    model: ChatModel, bedrock: OwnUpstream, name: str
):
    for _ in range(3):
        await chunks_of(model, a_request(name))

    assert bedrock.get("/stats")["connections"] == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_the_caller_ends_the_call_upstream(model: ChatModel, bedrock: OwnUpstream, streamed: bool):
    request = a_request("hanging")
    calling = asyncio.create_task(chunks_of(model, request) if streamed else model.generate(request))
    await asyncio.to_thread(bedrock.until, open=1)

    calling.cancel()

    await asyncio.to_thread(bedrock.until, open=0, cancelled=1)
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_cancelling_in_the_middle_of_a_stream_ends_the_call_upstream(model: ChatModel, bedrock: OwnUpstream):
    calling = asyncio.create_task(chunks_of(model, a_request("silent-after-first")))
    await asyncio.to_thread(bedrock.until, open=1)

    calling.cancel()

    await asyncio.to_thread(bedrock.until, open=0, cancelled=1)
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_leaving_a_stream_early_ends_the_call_upstream(model: ChatModel, bedrock: OwnUpstream):
    async with aclosing(model.stream(a_request("silent-after-first"))) as chunks:
        await anext(chunks)

    await asyncio.to_thread(bedrock.until, open=0, cancelled=1)


@pytest.mark.parametrize(
    "request_",
    [a_request(NOVA, "half of \ud83d"), replace(a_request(NOVA), response_format=ResponseFormat({"title": "\ud83d"}))],
)
async def test_half_a_character_is_bad_input_and_never_sent(
    model: ChatModel, bedrock: OwnUpstream, request_: ChatRequest
):
    with pytest.raises(BadInput):
        await model.generate(request_)

    assert bedrock.get("/requests") == []


async def test_two_hundred_streams_run_at_once(model: ChatModel, bedrock: OwnUpstream):
    """The upstream lets none go on before all of them have begun."""
    whole = wrapped(model, name="bedrock", limits=Limits(concurrency=200))

    streams = await asyncio.gather(*(chunks_of(whole, a_request("together:200")) for _ in range(200)))

    assert {"".join(chunk.text for chunk in chunks) for chunks in streams} == {TEXT}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_throttled_call_succeeds_on_its_second_try_within_the_deadline(
    model: ChatModel, bedrock: OwnUpstream, streamed: bool
):
    whole = wrapped(model, name="bedrock", limits=Limits())
    request = replace(a_request("recovers:ThrottlingException"), deadline=time.monotonic() + 30)

    text = (
        "".join(chunk.text for chunk in await chunks_of(whole, request))
        if streamed
        else (await whole.generate(request)).text
    )

    assert text == TEXT
    assert bedrock.calls("recovers:ThrottlingException") == 2


async def test_the_sdk_itself_tries_nothing_again(model: ChatModel, bedrock: OwnUpstream):
    with pytest.raises(ProviderThrottled):
        await model.generate(a_request("fails:ThrottlingException"))

    assert bedrock.calls("fails:ThrottlingException") == 1


async def test_an_alias_may_point_to_an_arn_and_vectors_come_from_bedrock_too(
    bedrock: OwnUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LLMOPS_BEDROCK__REGION", "eu-central-1")
    monkeypatch.setenv("LLMOPS_BEDROCK__ENDPOINT_URL", bedrock.url)
    settings = Settings(
        data_dir=tmp_path / "data",
        model_aliases={"default": [f"bedrock:{ARN}"]},
        embedder="bedrock",
        embedder_model="amazon.titan-embed-text-v2:0",
    )

    async with open_backends(settings) as backends:
        models = Models(backends.chat_models, settings.aliases, {})
        answer = await models.generate(models.resolve(None), a_request("any"))

    assert answer.ref.name == sent(bedrock)["model"] == ARN
    assert backends.embedder is not None
    assert backends.embedder.id == "bedrock:amazon.titan-embed-text-v2:0:1024"
