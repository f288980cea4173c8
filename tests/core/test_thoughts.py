"""What a reasoning model thinks before it answers."""

import pytest

from llmops_api.core.thoughts import AnswerStream

CASES = [
    ("At nine.", "At nine."),
    ("<think>When? At nine.</think>\n\nAt nine.", "At nine."),
    ("\n<reasoning>a < b</reasoning>At nine.", "At nine."),
    ("<Thinking>Hm.</Thinking>At nine.", "At nine."),
    ("[THINK]Hm.[/THINK]At nine.", "At nine."),
    ("[Thirty] bells.", "[Thirty] bells."),
    ("<think>and on and on", ""),
    ("<thinker>", "<thinker>"),
    ("<b>At nine.</b>", "<b>At nine.</b>"),
    ("<", "<"),
    ("  ", "  "),
    ("At nine. <think>so late</think>", "At nine. <think>so late</think>"),
]


@pytest.mark.parametrize(("said", "answer"), CASES)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_leading_thought_is_left_out_however_it_is_cut(said: str, answer: str, size: int) -> None:
    """Nothing else is, and nothing is held back once the answer has begun."""
    stream = AnswerStream()
    pieces = [stream.feed(said[at : at + size]) for at in range(0, len(said), size)]

    assert "".join([*pieces, stream.end()]) == answer
