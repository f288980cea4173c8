"""A real body of lore, 1,394 documents: ingested through kills, searched, asked, and asked what it does not hold."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import events_of
from tests.system.deployments import Deployment
from tests.system.service import ADMIN_KEY, Service

FAMOUS = (
    "Who painted the Mona Lisa?",
    "What is the capital of Australia?",
    "Who won the football World Cup in 1998?",
    "When did the Berlin Wall come down?",
    "Who wrote Pride and Prejudice?",
    "Which planet is the largest in the solar system?",
    "Who directed the film Jaws?",
    "What is the chemical formula of table salt?",
    "Who was the first person on the Moon?",
    "In which year did the Titanic sink?",
    "Who discovered penicillin?",
    "What is the longest river in Africa?",
    "Who composed the Four Seasons?",
    "How many players are in a baseball team?",
)
"""General knowledge, written for this test and used nowhere else: nothing was calibrated on it."""


class Library:
    """A data folder that the command line works on, and the real lore for it."""

    def __init__(self, data_dir: Path, settings: dict[str, str], corpus: Path) -> None:
        self.data_dir = data_dir
        self.settings = settings
        self.corpus = corpus

    def ingest(self) -> subprocess.Popen[str]:
        """`llmops-api ingest`, started."""
        environment = {
            **os.environ,
            "LLMOPS_DATA_DIR": str(self.data_dir),
            "LLMOPS_SEED": "false",
            "LLMOPS_ADMIN_KEY": ADMIN_KEY,
            **{f"LLMOPS_{name}": value for name, value in self.settings.items()},
        }
        command = [sys.executable, "-m", "llmops_api", "ingest", str(self.corpus), "--world", "srd", "--json"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def library(lore_folder: Path, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The lore after an ingest that was killed twice, early and in the middle, and then run to its end."""
    data_dir, corpus = tmp_path_factory.mktemp("library") / "data", lore_folder / "srd5e" / "corpus.jsonl"
    library = Library(data_dir, deployment.settings(), corpus)
    for share in (0.0, 0.3):
        _kill_in_the_middle(library.ingest(), share)
    _, errors = (finished := library.ingest()).communicate(timeout=600)
    assert finished.returncode == 0, errors
    return library


def _kill_in_the_middle(process: subprocess.Popen[str], share: float) -> None:
    """Kill -9 at the first progress past this share; the progress that was shown is proof that there was some."""
    assert process.stderr is not None
    for line in process.stderr:
        progress = re.search(r"(\d+) of (\d+)$", line)
        if progress and int(progress[1]) > share * int(progress[2]):
            break
    else:
        raise AssertionError("the ingest ended before it could be killed")
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def service(library: Library) -> Iterator[Service]:
    """A service on that folder, with the scripted model and a character who knows everything."""
    with Service(library.data_dir, **library.settings) as service:
        sage = {
            "name": "The Sage",
            "description": "Answers what is in the books.",
            "unknown_lines": ["I have not read of it."],
        }
        service.client.put("/v1/worlds/srd/characters/sage", json=sage).raise_for_status()
        yield service


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_killed_ingest_ends_complete(service: Service, library: Library) -> None:
    """Every document is there, word for word."""
    expected = {line["id"]: line["text"] for line in _lines(library.corpus)}
    stored, cursor = {}, None
    while True:
        page = service.client.get("/v1/worlds/srd/lore", params={"limit": 500, "cursor": cursor or ""}).json()
        stored |= {item["document_id"]: item["text"] for item in page["items"]}
        if not (cursor := page["next_cursor"]):
            break

    assert stored == expected


def test_a_second_run_changes_nothing(service: Service, library: Library) -> None:
    """The command line finds the running service by itself; all documents are unchanged, so none is embedded."""
    output, errors = library.ingest().communicate(timeout=600)

    counts = {"documents": 1394, "created": 0, "updated": 0, "unchanged": 1394}
    assert counts.items() <= json.loads(output).items(), errors


def test_the_given_questions_find_their_documents(service: Service, lore_folder: Path) -> None:
    """Of twenty questions eighteen are answered by the first hit at least, and all within five."""
    ranks = []
    for question in _lines(lore_folder / "srd5e" / "questions.jsonl"):
        hits = service.client.post("/v1/worlds/srd/lore/search", json={"query": question["question"]}).json()["hits"]
        found = [hit["document_id"] in question["gold"] for hit in hits]
        ranks.append(found.index(True) + 1 if True in found else 99)

    assert sum(rank == 1 for rank in ranks) >= 18
    assert max(ranks) <= 5


def test_what_the_lore_answers_is_not_refused(service: Service, lore_folder: Path) -> None:
    """All of the twenty given questions get an answer whose every quote stands in its document."""
    for question in _lines(lore_folder / "srd5e" / "questions.jsonl"):
        answer = service.client.post("/v1/worlds/srd/ask", json={"question": question["question"]}).json()
        assert not answer["refused"], question["question"]
        for citation in answer["citations"]:
            text = service.client.get(f"/v1/worlds/srd/lore/{citation['document_id']}").json()["text"]
            assert citation["quote"] in text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_the_lore_does_not_hold_is_refused(service: Service, stream: bool) -> None:
    """Of fourteen famous questions twelve at least, by ask and by a character, who says so in its own words."""
    refused = {"ask": 0, "dialogue": 0}
    for question in FAMOUS:
        asked = service.client.post("/v1/worlds/srd/ask", json={"question": question, "stream": stream})
        line = {"player_id": "p", "text": question, "stream": stream}
        said = service.client.post("/v1/worlds/srd/characters/sage/dialogue", json=line)
        answer = events_of(asked.text)[-1][1] if stream else asked.json()
        reply = events_of(said.text)[-1][1] if stream else said.json()
        refused["ask"] += answer["refused"] and answer["reason"] == "not_in_lore" and answer["model"] is None
        refused["dialogue"] += reply["spoken_by"] == "authored" and reply["reason"] == "not_in_lore"

    assert min(refused.values()) >= 12, refused


@pytest.mark.parametrize(
    "text", ["Good morning, guard", "Hello there!", "Thank you, friend.", "Farewell.", "How are you?"]
)
def test_small_talk_is_never_refused(service: Service, text: str) -> None:
    """The lore has nothing to say about it, and need not."""
    said = service.client.post("/v1/worlds/srd/characters/sage/dialogue", json={"player_id": "p", "text": text}).json()

    assert (said["spoken_by"], said["reason"]) == ("model", None)
