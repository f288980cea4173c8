from llmops_api.cli.events import Event, EventDecoder

STREAM = ': alive\r\n\r\nid: 1\nevent: delta\ndata: {"text": "Käse"}\n\nevent: done\r\ndata: {"a":\r\ndata: 1}\r\n\r\n'.encode()
EVENTS = [Event("delta", {"text": "Käse"}), Event("done", {"a": 1})]


def test_events_come_out_whole_wherever_the_stream_is_cut() -> None:
    for size in range(1, len(STREAM) + 1):
        decoder = EventDecoder()
        pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
        assert [event for piece in pieces for event in decoder.feed(piece)] == EVENTS


def test_an_event_that_the_end_cuts_off_is_dropped() -> None:
    assert list(EventDecoder().feed(b'event: done\ndata: {"a": 1}\n')) == []
