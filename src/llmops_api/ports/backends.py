"""What the service stands on: one field for each port, plus the clock and the ids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from llmops_api.ports.chat import ChatModel
from llmops_api.ports.embedding import Embedder
from llmops_api.ports.jobs import JobRunner
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import StateStore


@dataclass(frozen=True, slots=True)
class Backends:
    """`chat_models` is by provider name. `embedder` None: lore is found by keywords alone.

    `now` is in UTC; `new_id("turn")` gives an opaque id with that prefix (`turn_...`).
    """

    chat_models: Mapping[str, ChatModel]
    embedder: Embedder | None
    lore: LoreIndex
    state: StateStore
    jobs: JobRunner
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
