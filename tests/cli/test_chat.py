import json
import os
import signal
import subprocess
import sys

from tests.cli.conftest import Answer, FakeService, Run

DIALOGUE = "/v1/worlds/w/characters/guard/dialogue"
DONE = {
    "conversation_id": "conv_1",
    "text": "Halt. Who goes?",
    "spoken_by": "model",
    "reason": None,
    "citations": [{"document_id": "place/gate", "title": "The Gate", "score": 1.0}],
}
STREAM = (
    ("start", {"conversation_id": "conv_1"}),
    ("delta", {"text": "Halt."}),
    ("sentence", {"index": 0, "text": "Halt."}),
    ("delta", {"text": " Who goes?"}),
    ("done", DONE),
)


def sent(service: FakeService) -> list[dict[str, str]]:
    return [json.loads(asked.body) for asked in service.asked]


def test_a_line_from_standard_input_is_answered_with_its_sources(run: Run, service: FakeService) -> None:
    service.answers("POST", DIALOGUE, Answer(events=STREAM))
    outcome = run("chat", "guard", "--world", "w", "--player", "p1", "--save", "s1", stdin="hello\n")
    assert outcome.code == 0
    assert outcome.out == "Halt. Who goes?\n  from The Gate (place/gate)\n"
    assert sent(service) == [{"player_id": "p1", "save_id": "s1", "text": "hello", "stream": True}]


def test_lines_share_a_conversation_until_a_new_one_is_asked_for(run: Run, service: FakeService) -> None:
    service.answers("POST", DIALOGUE, Answer(events=STREAM))
    run("chat", "guard", "--world", "w", stdin="one\n\n two \n/new\nthree\n/quit\nfour\n")
    assert [(body["text"], body.get("conversation_id")) for body in sent(service)] == [
        ("one", None),
        ("two", "conv_1"),
        ("three", None),
    ]


def test_json_is_every_event_on_a_line(run: Run, service: FakeService) -> None:
    service.answers("POST", DIALOGUE, Answer(events=STREAM))
    lines = run("chat", "guard", "--world", "w", "--json", stdin="hello\n").out.splitlines()
    assert [(each["event"], each["data"]) for each in map(json.loads, lines)] == list(STREAM)


def test_a_line_that_no_model_spoke_says_why(run: Run, service: FakeService) -> None:
    done = {**DONE, "text": "Not now.", "spoken_by": "authored", "reason": "deadline", "citations": []}
    service.answers("POST", DIALOGUE, Answer(events=(("done", done),)))
    assert run("chat", "guard", "--world", "w", stdin="hello\n").out == "Not now.\n  authored: deadline\n"


def test_what_the_character_says_cannot_steer_the_terminal(run: Run, service: FakeService) -> None:
    done = {**DONE, "text": "\x1b]0;owned\x07Halt.", "citations": []}
    service.answers("POST", DIALOGUE, Answer(events=(("done", done),)))
    assert run("chat", "guard", "--world", "w", stdin="hello\n").out == "]0;ownedHalt.\n"


def test_a_character_that_is_not_there_is_wrong_use(run: Run) -> None:
    outcome = run("chat", "nobody", "--world", "w", stdin="hello\n")
    assert outcome.code == 2
    assert outcome.err == "error: There is no such thing.\n"


def test_standard_input_that_is_no_text_is_wrong_use(run: Run, service: FakeService) -> None:
    outcome = run("chat", "guard", "--world", "w", stdin="hal\udcfft\n")
    assert outcome.code == 2
    assert "not utf-8" in outcome.err
    assert service.asked == []


def test_ctrl_c_ends_a_chat_that_reads_from_a_pipe(run: Run, service: FakeService) -> None:
    interrupting = Answer(events=STREAM, before=lambda: os.kill(os.getpid(), signal.SIGINT))
    service.answers("POST", DIALOGUE, interrupting)
    assert run("chat", "guard", "--world", "w", stdin="one\ntwo\n").code == 130
    assert len(service.asked) == 1


def test_ctrl_c_at_a_terminal_cuts_the_character_short_and_keeps_the_conversation(service: FakeService) -> None:
    service.answers("POST", DIALOGUE, Answer(events=STREAM[:2], hangs=True), Answer(events=STREAM))
    ours, terminal = os.openpty()
    command = [sys.executable, "-m", "llmops_api", "chat", "guard", "--world", "w", "--url", service.url]
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as chat:
        assert chat.stdout is not None
        os.write(ours, b"one\n")
        heard = b""
        while b"Halt." not in heard:
            heard += chat.stdout.read(1)
        chat.send_signal(signal.SIGINT)
        os.write(ours, b"two\n/quit\n")
        chat.stdout.read()
    os.close(terminal)
    os.close(ours)
    assert chat.returncode == 0
    assert [(body["text"], body.get("conversation_id")) for body in sent(service)] == [("one", None), ("two", "conv_1")]
