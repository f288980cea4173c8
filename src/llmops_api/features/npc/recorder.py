"""Writing turns down, whatever becomes of the request that they came from."""

import asyncio
import logging

from llmops_api.core.conversations import Conversation, Conversations, Turn
from llmops_api.core.idempotency import Receipt
from llmops_api.ports.state import Change

log = logging.getLogger(__name__)


class Recorder:
    """Records each turn in a task of its own, which neither a deadline nor a client that leaves can stop."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._tasks: dict[asyncio.Task[None], str] = {}

    def start(
        self, conversation: Conversation, turn: Turn, *also: Change, receipt: Receipt | None = None
    ) -> asyncio.Task[None]:
        """Begin to write the turn down with whatever belongs to it. The task never fails; a failure is in the log.

        `receipt` is released when the change that settles it, one of `also`, could not be written.
        """
        task = asyncio.create_task(self._record(conversation, turn, also, receipt))
        self._tasks[task] = conversation.id
        task.add_done_callback(self._tasks.pop)
        return task

    async def caught_up(self, conversation_id: str) -> None:
        """Return when what was begun in this conversation is written: whoever was answered must find it."""
        if tasks := [task for task, of in self._tasks.items() if of == conversation_id]:
            await asyncio.wait(tasks)

    async def drained(self) -> None:
        """Return when all that was begun is written; the state store must stay open until then."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _record(
        self, conversation: Conversation, turn: Turn, also: tuple[Change, ...], receipt: Receipt | None
    ) -> None:
        try:
            await self._conversations.record(conversation, turn, *also)
        except Exception as error:  # noqa: BLE001 - the line has been said: that it was not kept must not unsay it
            # No traceback: a database's own message may quote what the player said.
            log.warning("%s of %s was not recorded: %s", turn.turn_id, conversation.id, type(error).__name__)
            if receipt is not None:
                await receipt.release()
