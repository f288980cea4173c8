"""A service that is told to stop ends what it began, or cuts it when the grace period is over."""

import json
import signal
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.system.service import Service

SPEECH = {"model": "default", "messages": [{"role": "user", "content": "Tell me of the gate."}], "stream": True}


def talking(data_dir: Path, settings: dict[str, str], grace_s: int, slow_seconds: float) -> Service:
    return Service(
        data_dir,
        **settings,
        MODEL_ALIASES=json.dumps({"default": "scripted:slow"}),
        SCRIPTED__SLOW_SECONDS=str(slow_seconds),
        SHUTDOWN_GRACE_S=str(grace_s),
    )


def told_to_stop(service: Service) -> "subprocess.Popen[bytes]":
    assert service._process is not None
    service._process.send_signal(signal.SIGTERM)
    return service._process


def test_an_open_stream_is_finished_before_the_service_ends(tmp_path: Path, settings: dict[str, str]) -> None:
    with talking(tmp_path / "data", settings, grace_s=30, slow_seconds=0.2) as service:
        with service.client.stream("POST", "/v1/text/generate", json=SPEECH) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            process = told_to_stop(service)
            rest = [first, *lines]

        assert process.wait(30) == 0
        assert "event: done" in rest
        assert len([line for line in rest if line == "event: delta"]) > 1


def test_a_stream_that_outlasts_the_grace_period_is_cut_and_the_service_ends_well(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with talking(tmp_path / "data", settings, grace_s=1, slow_seconds=3) as service:
        with service.client.stream("POST", "/v1/text/generate", json=SPEECH) as answer:
            lines = answer.iter_lines()
            next(lines)
            process = told_to_stop(service)
            with pytest.raises(httpx2.RemoteProtocolError):
                list(lines)

        assert process.wait(30) == 0
