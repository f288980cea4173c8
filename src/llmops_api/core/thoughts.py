"""Takes out of a streamed answer what a reasoning model thinks before it: a leading `<think>...</think>`.

Servers that know their model keep its thoughts apart; those that do not send them as the beginning of the text.
"""

import re
from typing import Final

_OPENING: Final = re.compile(r"\s*(?:<(think|thinking|thought|reasoning)>|(\[)THINK\])", re.IGNORECASE)
_PERHAPS: Final = re.compile(r"\s*(?:[<\[][a-z]{0,9})?", re.IGNORECASE)
"""What may still become an opening mark."""


class AnswerStream:
    """Feed it the pieces of an answer in order, then call `end`; each returns the next of what is not thought."""

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""
        self._begun = False

    def feed(self, piece: str) -> str:
        if self._begun:
            return piece
        self._held += piece
        if not self._closing:
            opening = _OPENING.match(self._held)
            if opening is None:
                return "" if _PERHAPS.fullmatch(self._held) else self._begin(self._held)
            self._closing = f"</{opening[1]}>" if opening[1] else "[/THINK]"
        answer = self._held.partition(self._closing)[2].lstrip()
        return self._begin(answer) if answer else ""

    def end(self) -> str:
        """What was held back in case it became a thought; nothing of a thought that never ended."""
        return "" if self._begun or self._closing else self._begin(self._held)

    def _begin(self, answer: str) -> str:
        self._begun, self._held = True, ""
        return answer
