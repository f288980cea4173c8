"""Requests that are sent twice act once: a receipt for each `Idempotency-Key`, settled in the same write as the effect.

A receipt is a record. It is claimed with a lease before the act; the act's own write settles it, expecting the version
that was claimed, so that of two holders (the first was slow, its lease passed, another took over) one alone can write.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llmops_api.core.stopwatch import within
from llmops_api.errors import BackendUnavailable, BadInput, ConflictError, IdempotencyMismatch, VersionMismatch
from llmops_api.ports.state import Delete, Put, Record, StateStore

RECEIPT = "receipt"
CLAIM = "receipt_claim"
"""One empty record for each claim, its key beginning with the moment: what is to be swept stands first in the list."""
KEPT_SECONDS = 24 * 3600
KEY_CHARS_AT_MOST = 255
CLAIMS_PER_SWEEP = 20


@dataclass(slots=True)
class Receipt:
    """The right to act on a request, or with `replay` the answer that it had. `settled`: nothing is left to be settled."""

    _state: StateStore
    _id: str
    _version: int
    _claim: Mapping[str, Any]
    replay: Mapping[str, Any] | None = None
    settled: bool = False

    def settle(self, answer: Mapping[str, Any]) -> Put:
        """The change that keeps the answer: write it together with the effect; `VersionMismatch` undoes both."""
        self.settled = True
        return Put(RECEIPT, self._id, {**self._claim, "answer": answer}, self._version)

    async def release(self) -> None:
        """Let a retry act at once, because this act failed; harmless after it did not."""
        if self.replay is None:
            # Out of reach or overtaken: the lease ends by itself, and the failure that led here must not be hidden.
            with suppress(VersionMismatch, BackendUnavailable):
                await self._state.write(Put(RECEIPT, self._id, {}, self._version))


class Receipts:
    """All receipts. They sweep up after themselves: every so many claims twice as many old ones go."""

    def __init__(self, state: StateStore, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self._claims = 0
        self._claiming: set[asyncio.Task[Receipt]] = set()

    async def begin(
        self, scope: str, key: str, fingerprint: str, *, lease_seconds: float, deadline: float | None = None
    ) -> Receipt:
        """Claim the act on a request whose body has this fingerprint, for so long; or find its answer in `replay`.

        `scope` tells callers and routes apart. Raises `IdempotencyMismatch` when the key came with another body,
        `ConflictError` while another request holds the claim, `DeadlineExceeded` past the `deadline`, a moment of
        `time.monotonic()`: a claim that comes later is released.
        """
        late = asyncio.Event()
        claiming = asyncio.create_task(self._begin(scope, key, fingerprint, lease_seconds, late))
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claimed)
        try:
            return await within(deadline, asyncio.shield(claiming))
        finally:
            late.set()

    def _claimed(self, claiming: asyncio.Task[Receipt]) -> None:
        self._claiming.discard(claiming)
        if not claiming.cancelled():
            claiming.exception()  # looked at, so that a failure which nobody awaits any more is not reported

    async def _begin(
        self, scope: str, key: str, fingerprint: str, lease_seconds: float, late: asyncio.Event
    ) -> Receipt:
        if not 0 < len(key) <= KEY_CHARS_AT_MOST:
            raise BadInput(f"An Idempotency-Key has 1 to {KEY_CHARS_AT_MOST} characters.")
        receipt_id = hashlib.sha256(f"{len(scope)}:{scope}{key}".encode()).hexdigest()
        record = await self._state.get(RECEIPT, receipt_id)
        now = self._now().timestamp()
        if record is not None and _holds(record, now):
            _require_free(record, fingerprint, now)
            if "answer" in record.value:
                return Receipt(self._state, receipt_id, record.version, {}, record.value["answer"], settled=True)
        claim = {"fingerprint": fingerprint, "claimed_at": now, "leased_until": now + lease_seconds}
        receipt = await self._claim(receipt_id, 0 if record is None else record.version, claim)
        if late.is_set():
            await receipt.release()
        return receipt

    async def _claim(self, receipt_id: str, version: int, claim: Mapping[str, Any]) -> Receipt:
        entry = Put(CLAIM, f"{math.ceil(claim['claimed_at']):011}/{receipt_id}", {})
        try:
            claimed, _ = await self._state.write(Put(RECEIPT, receipt_id, claim, version), entry)
        except VersionMismatch as error:
            raise _still_running() from error
        self._claims += 1
        if self._claims % CLAIMS_PER_SWEEP == 0:
            await self.sweep(2 * CLAIMS_PER_SWEEP)
        return Receipt(self._state, receipt_id, claimed, claim)

    async def sweep(self, limit: int) -> None:
        """Remove up to so many receipts that are older than a day."""
        now = self._now().timestamp()
        claims = await self._state.list(CLAIM, limit=limit)
        old = [claim.key for claim in claims if int(claim.key.partition("/")[0]) + KEPT_SECONDS < now]
        if old:
            receipts = await self._state.get_many(RECEIPT, [key.partition("/")[2] for key in old])
            ended = [record for record in receipts.values() if not _holds(record, now)]
            # Claimed anew or swept by another replica meanwhile: the next sweep will see.
            with suppress(VersionMismatch):
                await self._state.write(*_forget(ended), *(Delete(CLAIM, key, forget=True) for key in old))


def _holds(record: Record, now: float) -> bool:
    """Whether a receipt still counts: it was not released, and is not older than a day."""
    return bool(record.value) and now <= record.value["claimed_at"] + KEPT_SECONDS


def _require_free(record: Record, fingerprint: str, now: float) -> None:
    if record.value["fingerprint"] != fingerprint:
        raise IdempotencyMismatch("This Idempotency-Key came with another body before.")
    if "answer" not in record.value and now < record.value["leased_until"]:
        raise _still_running()


def _forget(records: Sequence[Record]) -> list[Delete]:
    return [Delete(record.kind, record.key, record.version, forget=True) for record in records]


def _still_running() -> ConflictError:
    return ConflictError("The first request with this Idempotency-Key is still being answered.")
