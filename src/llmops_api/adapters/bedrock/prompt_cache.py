"""Which models keep the prefix of a prompt, from how many tokens on, and a word when one does not."""

import logging
from typing import Literal

from llmops_api.ports.chat import ChatRequest, Usage

log = logging.getLogger(__name__)

_FLOORS = {
    "amazon.nova-": "1000",
    "anthropic.claude-3-5-haiku": "2048",
    "anthropic.claude-3-7-sonnet": "1024",
    "anthropic.claude-haiku-": "4096",
    "anthropic.claude-opus-": "1024 to 4096",
    "anthropic.claude-opus-4-5": "4096",
    "anthropic.claude-opus-4-6": "4096",
    "anthropic.claude-sonnet-": "1024",
    "anthropic.claude-sonnet-4-6": "2048",
}
"""Beginnings of the names of models that take cache points, with the fewest tokens that they keep; the longest that
fits counts. From the table "Supported models" of the page on prompt caching in the Bedrock user guide, and for models
that it does not list from the same page of Anthropic's, which agree; as of 2026. A prefix below it is not kept, and
nothing says so but the usage."""

_MAX_TOLD = 100


class PromptCache:
    """Whether a model gets cache points; it tells once a model when such a point had no effect."""

    def __init__(self, mode: Literal["auto", "always", "never"]) -> None:
        self._mode = mode
        self._told: set[str] = set()

    def serves(self, model: str) -> bool:
        """An inference profile or ARN holds the name of its model, but for those of an application's own profiles."""
        return self._mode == "always" or (self._mode == "auto" and _floor(model) is not None)

    def notice(self, request: ChatRequest, usage: Usage) -> None:
        """Says so when nothing of what is stable in this request was read from the cache, nor written to it."""
        kept = usage.cache_read_tokens or usage.cache_write_tokens
        if kept or request.model in self._told or len(self._told) >= _MAX_TOLD or not self.serves(request.model):
            return
        stable = sum(len(message.text) for message in request.messages if message.stable)
        if stable:
            self._told.add(request.model)
            log.warning(
                "the model %r kept nothing of a stable prefix of %d characters: it needs %s tokens or more",
                request.model,
                stable,
                _floor(request.model) or "an unknown number of",
            )


def _floor(model: str) -> str | None:
    fitting = [beginning for beginning in _FLOORS if beginning in model]
    return _FLOORS[max(fitting, key=len)] if fitting else None
