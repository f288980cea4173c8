"""Every documented exception of Bedrock, before a stream and inside it, through the manners that a model really has."""

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    UnknownSignatureVersionError,
)

from llmops_api.adapters.bedrock import client as bedrock_client
from llmops_api.adapters.bedrock.failures import translated
from llmops_api.adapters.bedrock.model import open_chat_model
from llmops_api.adapters.wrappers.chat import Limits, wrapped
from llmops_api.errors import (
    LLMOpsError,
    ModelNotServed,
    ProviderDenied,
    ProviderError,
    ProviderGarbled,
    ProviderInterrupted,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
)
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, Parameters
from tests.contracts.chat_model import a_request, chunks_of, pieces_before
from tests.upstreams.bedrock_upstream import REQUEST_ID
from tests.upstreams.bedrock_wire import SECRET, TEXT, operation
from tests.upstreams.servers import OwnUpstream

pytestmark = pytest.mark.usefixtures("aws_keys")

ATTEMPTS = 3

BEFORE: dict[str, tuple[type[ProviderError], int, int]] = {
    "AccessDeniedException": (ProviderDenied, 502, 1),
    "InternalServerException": (ProviderUnavailable, 503, ATTEMPTS),
    "ModelErrorException": (ProviderUnavailable, 503, ATTEMPTS),
    "ModelNotReadyException": (ProviderUnavailable, 503, ATTEMPTS),
    "ModelTimeoutException": (ProviderTimeout, 504, ATTEMPTS),
    "ResourceNotFoundException": (ModelNotServed, 502, 1),
    "ServiceUnavailableException": (ProviderUnavailable, 503, ATTEMPTS),
    "ThrottlingException": (ProviderThrottled, 429, ATTEMPTS),
    "ValidationException": (ProviderRejected, 502, 1),
}
"""Of each exception that Converse and ConverseStream may answer with: our error, its status, how often it is called."""

INSIDE: dict[str, tuple[type[ProviderError], int]] = {
    "internalServerException": (ProviderUnavailable, 503),
    "modelStreamErrorException": (ProviderInterrupted, 502),
    "serviceUnavailableException": (ProviderUnavailable, 503),
    "throttlingException": (ProviderThrottled, 429),
    "validationException": (ProviderRejected, 502),
}
"""Of each exception that may come as an event."""

SHARED: dict[str, type[ProviderError]] = {
    "ExpiredTokenException:403": ProviderDenied,
    "InvalidSignatureException:403": ProviderDenied,
    "MissingAuthenticationTokenException:403": ProviderDenied,
    "NotAuthorized:401": ProviderDenied,
    "UnrecognizedClientException:403": ProviderDenied,
    "InternalFailure:500": ProviderUnavailable,
    "GatewayTimeout:504": ProviderTimeout,
    "RequestTimeoutException:408": ProviderTimeout,
    "TooManyRequestsException:429": ProviderThrottled,
    "UnknownOperationException:404": ModelNotServed,
    "OfALaterDay:418": ProviderRejected,
    "ServiceQuotaExceededException:400": ProviderThrottled,
}
"""What all of AWS may answer, with its status."""


@pytest.fixture
async def bare(bedrock: OwnUpstream) -> AsyncIterator[ChatModel]:
    """The adapter alone."""
    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url) as model:
        yield model


@pytest.fixture
def model(bare: ChatModel) -> ChatModel:
    """The adapter with its manners, as the service has it."""
    return wrapped(bare, name="bedrock", limits=Limits(attempts=ATTEMPTS))


async def failure_of(model: ChatModel, request: ChatRequest, *, streamed: bool) -> LLMOpsError:
    with pytest.raises(LLMOpsError) as caught:
        await (chunks_of(model, request) if streamed else model.generate(request))
    return caught.value


def test_the_tables_hold_every_exception_of_the_service_model():
    events = operation("ConverseStream").output_shape.members["stream"].members
    documented = {shape.name for name in ("Converse", "ConverseStream") for shape in operation(name).error_shapes}

    assert BEFORE.keys() == documented
    assert INSIDE.keys() == {name for name, shape in events.items() if shape.metadata.get("exception")}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("code", "expected"), BEFORE.items())
async def test_each_exception_has_its_error_and_is_tried_again_when_it_may_pass(
    model: ChatModel, bedrock: OwnUpstream, code: str, expected: tuple[type[ProviderError], int, int], streamed: bool
):
    error = await failure_of(model, a_request(f"fails:{code}"), streamed=streamed)

    assert (type(error), error.status, bedrock.calls(f"fails:{code}")) == expected


@pytest.mark.parametrize(("code", "expected"), INSIDE.items())
async def test_each_exception_inside_a_stream_has_its_error_and_is_never_tried_again_after_text(
    model: ChatModel, bedrock: OwnUpstream, code: str, expected: tuple[type[ProviderError], int]
):
    request = a_request(f"breaks:{code}")

    error = await failure_of(model, request, streamed=True)
    pieces: list[ChatChunk] = await pieces_before(expected[0], model.stream(request))

    assert (type(error), error.status) == expected
    assert [piece.text for piece in pieces] == ["The ", "gate "]
    assert bedrock.calls(request.model) == 2


@pytest.mark.parametrize(("code", "expected"), INSIDE.items())
async def test_an_exception_before_the_first_text_is_tried_again_when_it_may_pass(
    model: ChatModel, bedrock: OwnUpstream, code: str, expected: tuple[type[ProviderError], int]
):
    request = a_request(f"stumbles:{code}")

    if expected[0].retryable:
        assert "".join(chunk.text for chunk in await chunks_of(model, request)) == TEXT
        assert bedrock.calls(request.model) == 2
    else:
        assert type(await failure_of(model, request, streamed=True)) is expected[0]
        assert bedrock.calls(request.model) == 1


@pytest.mark.parametrize(("code", "expected"), SHARED.items())
async def test_what_all_of_aws_may_answer_is_told_by_its_status(
    bare: ChatModel, code: str, expected: type[ProviderError]
):
    assert type(await failure_of(bare, a_request(f"fails:{code}"), streamed=False)) is expected


async def test_an_error_of_the_stream_itself_is_told_by_its_code(bare: ChatModel):
    throttled = await failure_of(bare, a_request("errs:ThrottlingException"), streamed=True)
    other = await failure_of(bare, a_request("errs:OfALaterDay"), streamed=True)

    assert (type(throttled), type(other)) == (ProviderThrottled, ProviderUnavailable)


async def test_a_model_that_bedrock_does_not_know_leaves_the_next_of_an_alias_its_turn(bare: ChatModel):
    """Bedrock calls it a fault of the request."""
    assert type(await failure_of(bare, a_request("unknown"), streamed=False)) is ModelNotServed


async def test_a_throttled_call_may_say_for_how_long(bare: ChatModel):
    error = await failure_of(bare, a_request("fails:ThrottlingException"), streamed=False)

    assert isinstance(error, ProviderThrottled)
    assert error.retry_after == 0


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("code", BEFORE)
async def test_the_message_names_the_exception_and_the_request_and_repeats_nothing(
    bare: ChatModel, code: str, streamed: bool
):
    error = await failure_of(bare, a_request(f"fails:{code}"), streamed=streamed)

    assert f"({code}, request {REQUEST_ID})" in error.message
    assert SECRET not in f"{error} {error.extra} {error.__cause__}"


async def test_an_exception_inside_a_stream_repeats_nothing(bare: ChatModel):
    error = await failure_of(bare, a_request("breaks:validationException"), streamed=True)

    assert SECRET not in f"{error} {error.extra} {error.__cause__}"


BROKEN = ("garbage", "empty", "no-output", "no-message", "list", "odd-content", "odd-usage")


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_none_is_garbled(bare: ChatModel, name: str):
    assert type(await failure_of(bare, a_request(name), streamed=False)) is ProviderGarbled


BROKEN_STREAMS: dict[str, type[ProviderError]] = {
    "corrupt": ProviderGarbled,
    "odd": ProviderGarbled,
    "cut": ProviderInterrupted,
    "truncated": ProviderInterrupted,
    "no-stop": ProviderInterrupted,
}


@pytest.mark.parametrize(("name", "expected"), BROKEN_STREAMS.items())
async def test_each_broken_stream_has_its_error(bare: ChatModel, name: str, expected: type[ProviderError]):
    pieces: list[ChatChunk] = await pieces_before(expected, bare.stream(a_request(name)))

    assert "".join(piece.text for piece in pieces).startswith("The gate ")
    assert all(piece.finish_reason is None for piece in pieces)


async def test_a_whole_answer_that_is_cut_is_interrupted(bare: ChatModel):
    assert type(await failure_of(bare, a_request("cut"), streamed=False)) is ProviderInterrupted


async def test_parameters_that_cannot_be_are_rejected_by_bedrock(bare: ChatModel):
    request = replace(a_request("amazon.nova-lite-v1:0"), parameters=Parameters(stop_sequences=("",)))

    assert type(await failure_of(bare, request, streamed=False)) is ProviderRejected


async def test_a_fault_of_the_sdk_itself_is_a_failure_that_is_not_tried_again():
    with pytest.raises(ProviderError) as caught, translated():
        raise UnknownSignatureVersionError(signature_version="v9")

    assert type(caught.value) is ProviderError
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        CredentialRetrievalError(provider="role", error_msg="no"),
        TokenRetrievalError(provider="sso", error_msg="no"),
        UnauthorizedSSOTokenError(),
    ],
)
async def test_credentials_that_are_lost_later_are_denied(error: Exception):
    """A role's credentials are renewed while the service runs."""
    with pytest.raises(ProviderDenied), translated():
        raise error


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_bedrock_that_is_not_there_is_unavailable(deaf_port: int, streamed: bool):
    async with open_chat_model(region="eu-central-1", endpoint_url=f"http://127.0.0.1:{deaf_port}") as model:
        assert type(await failure_of(model, a_request("any"), streamed=streamed)) is ProviderUnavailable
        with pytest.raises(ProviderUnavailable):
            await model.ping()


async def test_a_bedrock_without_a_good_certificate_is_unavailable(bedrock: OwnUpstream):
    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url.replace("http:", "https:")) as model:
        assert type(await failure_of(model, a_request("any"), streamed=False)) is ProviderUnavailable


async def test_a_bedrock_that_falls_silent_is_a_timeout(bedrock: OwnUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bedrock_client, "_SILENCE_SECONDS", 0.05)

    async with open_chat_model(region="eu-central-1", endpoint_url=bedrock.url) as model:
        assert type(await failure_of(model, a_request("hanging"), streamed=False)) is ProviderTimeout
        assert type(await failure_of(model, a_request("hanging"), streamed=True)) is ProviderTimeout
        assert type(await failure_of(model, a_request("silent-after-first"), streamed=True)) is ProviderTimeout
