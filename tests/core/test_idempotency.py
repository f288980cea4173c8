"""Receipts, on the database that keeps them."""

import asyncio
import time
from contextlib import suppress

import pytest

from llmops_api.core.idempotency import CLAIM, RECEIPT, Receipt, Receipts
from llmops_api.errors import BadInput, ConflictError, DeadlineExceeded, IdempotencyMismatch, VersionMismatch
from llmops_api.ports.state import Append, StateStore
from tests.support import Clock


@pytest.fixture
def receipts(state: StateStore, clock: Clock) -> Receipts:
    return Receipts(state, clock)


async def _begin(receipts: Receipts, key: str = "k", body: str = "body", scope: str = "key_1 POST /v1/x") -> Receipt:
    return await receipts.begin(scope, key, body, lease_seconds=60)


async def test_an_answer_is_replayed(receipts: Receipts, state: StateStore) -> None:
    """Once the act has succeeded, the same request gets the same answer, and nothing to settle."""
    receipt = await _begin(receipts)
    await state.write(Append("s", ({"n": 1},)), receipt.settle({"line": "龍"}))

    again = await _begin(receipts)

    assert receipt.replay is None
    assert again.replay == {"line": "龍"}
    assert again.settled


async def test_another_body_under_the_same_key_is_a_mismatch(receipts: Receipts, state: StateStore) -> None:
    """While the first is running, and when it has its answer."""
    receipt = await _begin(receipts)
    with pytest.raises(IdempotencyMismatch):
        await _begin(receipts, body="other")

    await state.write(receipt.settle({}))

    with pytest.raises(IdempotencyMismatch):
        await _begin(receipts, body="other")


@pytest.mark.parametrize(
    ("first", "second"),
    [(("key_1 POST /a", "k"), ("key_2 POST /a", "k")), (("key_1", "k"), ("key_1", "K")), (("a", "bc"), ("ab", "c"))],
)
async def test_scopes_and_keys_do_not_meet(
    receipts: Receipts, state: StateStore, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """Two callers with the same key share nothing, however scope and key are spelt."""
    receipt = await _begin(receipts, scope=first[0], key=first[1])
    await state.write(receipt.settle({"of": "first"}))

    other = await _begin(receipts, scope=second[0], key=second[1], body="other")

    assert other.replay is None


async def test_a_running_request_is_a_conflict(receipts: Receipts, clock: Clock) -> None:
    """Until its lease has passed."""
    await _begin(receipts)
    clock.advance(seconds=59)

    with pytest.raises(ConflictError):
        await _begin(receipts)


async def test_of_concurrent_requests_one_may_act(receipts: Receipts) -> None:
    """The others hear that it is still being answered."""
    results = await asyncio.gather(*(_begin(receipts) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Receipt) for result in results) == 1
    assert sum(isinstance(result, ConflictError) for result in results) == 19


async def test_a_crashed_holder_is_replaced_and_cannot_act_late(
    receipts: Receipts, state: StateStore, clock: Clock
) -> None:
    """When the lease has passed another takes over; the first one's effect is then undone together with its settling."""
    late = await _begin(receipts)
    clock.advance(seconds=61)
    second = await _begin(receipts)

    with pytest.raises(VersionMismatch):
        await state.write(Append("s", ({"by": "late"},)), late.settle({"by": "late"}))
    await late.release()
    await state.write(Append("s", ({"by": "second"},)), second.settle({"by": "second"}))

    assert [event.value["by"] for event in await state.read("s")] == ["second"]
    assert (await _begin(receipts)).replay == {"by": "second"}


async def test_a_holder_that_was_replaced_cannot_settle_a_third_one_s_receipt(
    receipts: Receipts, state: StateStore, clock: Clock
) -> None:
    """A release keeps the count of claims, so that an old claim never fits a new one."""
    late = await _begin(receipts)
    clock.advance(seconds=61)
    await (await _begin(receipts)).release()
    await _begin(receipts)

    with pytest.raises(VersionMismatch):
        await state.write(late.settle({}))


async def test_a_released_key_may_act_again(receipts: Receipts) -> None:
    """With another body too: the failed act has left nothing that it could differ from."""
    await (await _begin(receipts)).release()

    receipt = await _begin(receipts, body="mended")

    assert receipt.replay is None


async def test_releasing_what_was_written_changes_nothing(receipts: Receipts, state: StateStore) -> None:
    """Whoever releases on any failure, even after the write, does not lose the answer; nor does a replay."""
    receipt = await _begin(receipts)
    await state.write(receipt.settle({"n": 1}))

    await receipt.release()
    await (await _begin(receipts)).release()

    assert (await _begin(receipts)).replay == {"n": 1}


async def test_an_act_that_was_settled_in_vain_can_be_released(receipts: Receipts, state: StateStore) -> None:
    """Settling only makes the change: when its write failed, the receipt is still held and can be let go."""
    receipt = await _begin(receipts)
    with pytest.raises(VersionMismatch):
        await state.write(receipt.settle({}), Append("s", ({},), expected_position=7))

    await receipt.release()

    assert (await _begin(receipts)).replay is None


async def test_an_answer_is_forgotten_after_a_day(receipts: Receipts, state: StateStore, clock: Clock) -> None:
    """Not before: a key may then be used for something else."""
    await state.write((await _begin(receipts)).settle({}))
    clock.advance(hours=24)
    assert (await _begin(receipts)).replay == {}

    clock.advance(seconds=1)

    assert (await _begin(receipts, body="other")).replay is None


async def test_a_sweep_removes_what_is_older_than_a_day(receipts: Receipts, state: StateStore, clock: Clock) -> None:
    """Answers, abandoned claims and released ones, oldest first; younger ones and those claimed anew stay."""
    await state.write((await _begin(receipts, "answered")).settle({}))
    await (await _begin(receipts, "released")).release()
    await _begin(receipts, "abandoned")
    await _begin(receipts, "taken over")
    clock.advance(hours=1)
    await _begin(receipts, "taken over")
    await _begin(receipts, "young")
    for by in ({"hours": 22, "minutes": 59, "seconds": 59}, {"milliseconds": 500}):
        clock.advance(**by)
        await receipts.sweep(10)
        assert len(await state.list(RECEIPT)) == 5

    clock.advance(seconds=2)
    await receipts.sweep(2)
    assert len(await state.list(CLAIM)) == 4
    await receipts.sweep(10)

    assert len(await state.list(RECEIPT)) == 2
    assert len(await state.list(CLAIM)) == 2


async def test_receipts_do_not_pile_up(receipts: Receipts, state: StateStore, clock: Clock) -> None:
    """Nobody has to call the sweep: new claims carry the old ones away, every one of them in the end."""
    for n in range(40):
        await _begin(receipts, f"old {n}")
    clock.advance(hours=25)

    for n in range(40):
        await _begin(receipts, f"new {n}")

    assert len(await state.list(RECEIPT)) == 40


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_1_to_255_characters(receipts: Receipts, key: str) -> None:
    """Anything else is refused before it is kept."""
    with pytest.raises(BadInput):
        await _begin(receipts, key)

    await _begin(receipts, "k" * 255)


async def test_a_claim_that_cannot_be_had_in_time_is_given_up_and_released(receipts: Receipts) -> None:
    """A retry may act as soon as the slow claim has come through."""
    with pytest.raises(DeadlineExceeded):
        await receipts.begin("s", "k", "body", lease_seconds=60, deadline=time.monotonic())
    async with asyncio.timeout(10):
        while True:
            with suppress(ConflictError):
                again = await receipts.begin("s", "k", "body", lease_seconds=60)
                break
            await asyncio.sleep(0.01)

    assert again.replay is None
