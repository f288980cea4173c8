import pytest

from llmops_api.cli.failures import WrongUse
from llmops_api.cli.server import bind, could_not_start, url_of
from llmops_api.errors import BackendUnavailable


@pytest.mark.parametrize(
    ("host", "start"),
    [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")],  # noqa: S104 - asked for here alone
)
def test_a_client_on_this_machine_is_sent_to_loopback(host: str, start: str) -> None:
    with bind(host, 0) as bound:
        assert url_of(bound) == f"{start}{bound.getsockname()[1]}"


def test_a_port_that_is_taken_is_wrong_use_and_named() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WrongUse, match=f"127.0.0.1, port {port}"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("backend", ["state", "lore", "jobs"])
def test_a_backend_that_keeps_a_service_from_starting_is_named_with_its_setting(backend: str) -> None:
    failure = could_not_start(BackendUnavailable("It does not answer.", backend=backend))

    assert "It does not answer. LLMOPS_" in str(failure)
    assert failure.exit_code == 3
