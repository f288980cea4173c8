"""A model's reply as it is spoken: whole sentences, clean and checked, for as long as there is time."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from llmops_api.core.conversations import Reason
from llmops_api.core.models import Answer, Choice, ModelRef, Models
from llmops_api.core.speech import SpeechStream, echoes, is_nonsense
from llmops_api.errors import DeadlineExceeded, LLMOpsError, ProviderTimeout
from llmops_api.ports.chat import ChatRequest, FinishReason

log = logging.getLogger(__name__)

MAX_HEARD = 16_000
"""Characters, thoughts included: many times the tokens that were asked for, and not a flood."""
MAX_SENTENCES = 6
"""More is a speech: players of voiced games skip lines beyond some twenty seconds."""


class Performance:
    """One call of a model. `ref` is the one that speaks, once it does. `reason` says why it ended early, `answer` is None
    when it did not end well.

    `secret` is what of the prompt no character may recite.
    """

    def __init__(
        self, models: Models, choice: Choice, request: ChatRequest, *, names: Sequence[str], secret: str
    ) -> None:
        self.reason: Reason | None = None
        self.answer: Answer | None = None
        self.ref: ModelRef | None = None
        self.choice = choice
        self._models = models
        self._request = request
        self._speech = SpeechStream(names=names)
        self._secret = secret
        self._heard = 0
        self._made: asyncio.Queue[str | None] = asyncio.Queue()

    async def sentences(self) -> AsyncGenerator[str, None]:
        """Each sentence as soon as it is whole, until the model, the deadline of the request or a check ends it.

        Whatever the model does, this raises nothing. Closing it ends the call upstream.
        """
        if self._seconds_left() == 0:
            self.reason = Reason.DEADLINE
            return
        listening = asyncio.create_task(self._listen())
        try:
            for _ in range(MAX_SENTENCES):
                sentence = await self._next()
                if sentence is None:
                    return
                if is_nonsense(sentence) or echoes(sentence, self._secret):
                    self.reason = Reason.GUARDED
                    return
                yield sentence
            self.reason = None
        finally:
            listening.cancel()

    async def _next(self) -> str | None:
        if not self._made.empty():
            return self._made.get_nowait()
        waiting = asyncio.ensure_future(self._made.get())
        try:
            await asyncio.wait({waiting}, timeout=self._seconds_left())
            if waiting.done():
                return waiting.result()
            self.reason = Reason.DEADLINE
            return None
        finally:
            waiting.cancel()

    def _seconds_left(self) -> float | None:
        deadline = self._request.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    async def _listen(self) -> None:
        # A task of its own, since a stream must be read by one task alone, and the events of a turn are not.
        try:
            async with aclosing(self._models.stream(self.choice, self._request)) as pieces:
                async for piece in pieces:
                    self._hear(piece)
                    if self._heard > MAX_HEARD:
                        self.reason = Reason.UPSTREAM
                        return
        except (ProviderTimeout, DeadlineExceeded):
            self.reason = Reason.DEADLINE
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a model, the character has something to say
            fact = error.message if isinstance(error, LLMOpsError) else type(error).__name__
            log.warning("a model failed in dialogue: %s", fact)
            self.reason = Reason.UPSTREAM
        finally:
            self._made.put_nowait(None)

    def _hear(self, piece: ModelRef | str | Answer) -> None:
        if isinstance(piece, str):
            self._heard += len(piece)
            self._make(self._speech.feed(piece))
        elif isinstance(piece, ModelRef):
            self.ref = piece
        else:
            self._end(piece)

    def _end(self, answer: Answer) -> None:
        self.answer = answer
        finish = answer.response.finish_reason
        if finish is FinishReason.CONTENT_FILTER:
            self.reason = Reason.GUARDED
        elif finish is not FinishReason.LENGTH:
            # What the length limit cut off is half a sentence, and is not said.
            self._make(self._speech.flush())

    def _make(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self._made.put_nowait(sentence)
