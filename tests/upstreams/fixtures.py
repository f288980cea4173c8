"""The upstreams as pytest fixtures: one process each for the whole run."""

from collections.abc import Iterator

import pytest

from tests.upstreams import servers


@pytest.fixture(scope="session")
def own_upstream_process() -> Iterator[servers.OwnUpstream]:
    with servers.own_upstream() as upstream:
        yield upstream


@pytest.fixture
def own_upstream(own_upstream_process: servers.OwnUpstream) -> servers.OwnUpstream:
    """Our own upstream, its counters at zero."""
    own_upstream_process.reset()
    return own_upstream_process


@pytest.fixture(scope="session")
def aimock() -> Iterator[servers.Server]:
    """An OpenAI-compatible upstream that we did not write."""
    with servers.aimock() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def bedrock_process() -> Iterator[servers.OwnUpstream]:
    with servers.own_upstream("bedrock_upstream") as upstream:
        yield upstream


@pytest.fixture
def bedrock(bedrock_process: servers.OwnUpstream) -> servers.OwnUpstream:
    """A Bedrock of our own, its counters at zero."""
    bedrock_process.reset()
    return bedrock_process


@pytest.fixture(scope="session")
def moto_bedrock() -> Iterator[servers.Server]:
    """A Bedrock whose frames moto makes."""
    with servers.own_upstream("bedrock_moto") as upstream:
        yield upstream


@pytest.fixture
def aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody, in the environment as AWS's SDKs look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-key")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
