"""API keys, on the database that keeps them."""

import asyncio
import re
import uuid
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from llmops_api.core.keys import CACHED_AT_MOST, CACHED_FOR, KEY, Keys, Principal, Scope, derive_secret, token_of
from llmops_api.errors import AuthenticationError, BackendUnavailable, NotFound, PermissionDenied, VersionMismatch
from llmops_api.ports.state import Put, Record, StateStore
from tests.support import START, Clock

ADMIN_KEY = "an admin key of the settings"


@pytest.fixture
def keys(state: StateStore, clock: Clock) -> Keys:
    return _replica(state, clock)


def _replica(state: StateStore, clock: Clock) -> Keys:
    numbers = count(1)
    return Keys(state, clock, lambda prefix: f"{prefix}_{next(numbers):03}", ADMIN_KEY)


async def test_a_token_speaks_for_its_key(keys: Keys) -> None:
    """Whoever sends it has the key's scopes and is bound to its world."""
    key, token = await keys.create("game server", [Scope.GAME, Scope.WRITER], world="emberfall")

    principal = await keys.authenticate(token)

    assert principal == Principal(key.key_id, frozenset({Scope.GAME, Scope.WRITER}), "emberfall")
    assert re.fullmatch(r"llmops_001_[0-9a-f]{64}", token)


async def test_the_secret_is_not_kept(keys: Keys, state: StateStore) -> None:
    """Neither in the record nor in what a list shows."""
    key, token = await keys.create("n", [Scope.GAME])
    secret = token.rpartition("_")[2]

    record = await state.get(KEY, key.key_id)

    assert record is not None
    assert secret not in f"{record} {await keys.list()} {key}"


async def test_every_token_that_is_not_good_gets_the_same_answer(keys: Keys, clock: Clock) -> None:
    """Wrong, unknown, malformed, expired or revoked: the message does not tell which."""
    key, token = await keys.create("n", [Scope.GAME])
    expiring, expired = await keys.create("n", [Scope.GAME], expires_at=START + timedelta(hours=1))
    revoking, revoked = await keys.create("n", [Scope.GAME])
    await keys.revoke(revoking.key_id)
    clock.now = START + timedelta(hours=1)
    bad = ["", "llmops_", "llmops_001_", f"{token} ", f"{token}\n", token[:-1], "llmops_\0_" + "0" * 64, "\ud800", "龍"]
    bad += [token_of(key.key_id, "0" * 64), token_of("key_none", "0" * 64), ADMIN_KEY[:-1], expired, revoked]

    messages = set()
    for wrong in bad:
        with pytest.raises(AuthenticationError) as raised:
            await keys.authenticate(wrong)
        messages.add(raised.value.message)

    assert len(messages) == 1
    assert expiring.expires_at == clock.now


async def test_a_key_that_was_revoked_elsewhere_dies_within_two_seconds(
    keys: Keys, state: StateStore, clock: Clock
) -> None:
    """A replica may honour what it has just seen, but no longer than that."""
    elsewhere = _replica(state, clock)
    key, token = await keys.create("n", [Scope.GAME])
    await keys.authenticate(token)

    await elsewhere.revoke(key.key_id)

    await keys.authenticate(token)
    clock.now += CACHED_FOR
    with pytest.raises(AuthenticationError):
        await keys.authenticate(token)
    assert timedelta(seconds=2) >= CACHED_FOR


async def test_a_key_that_was_revoked_here_is_dead_at_once(keys: Keys) -> None:
    """Although it was seen a moment ago; the list says when it ended, and revoking again changes nothing."""
    key, token = await keys.create("n", [Scope.GAME])
    await keys.authenticate(token)

    revoked = await keys.revoke(key.key_id)

    with pytest.raises(AuthenticationError):
        await keys.authenticate(token)
    assert revoked.revoked_at == START
    assert await keys.revoke(key.key_id) == revoked
    assert await keys.list() == [revoked]


async def test_a_key_dies_when_it_expires_though_it_was_just_seen(keys: Keys, clock: Clock) -> None:
    """Its last moment is the one before `expires_at`."""
    _, token = await keys.create("n", [Scope.GAME], expires_at=START + timedelta(seconds=1))
    clock.now += timedelta(seconds=1, microseconds=-1)
    await keys.authenticate(token)

    clock.now += timedelta(microseconds=1)

    with pytest.raises(AuthenticationError):
        await keys.authenticate(token)


async def test_a_clock_that_is_set_back_prolongs_nothing(keys: Keys, state: StateStore, clock: Clock) -> None:
    """What was seen in an hour that comes again is looked up anew."""
    key, token = await keys.create("n", [Scope.GAME])
    await keys.authenticate(token)
    await _replica(state, clock).revoke(key.key_id)

    clock.now -= timedelta(hours=1)

    with pytest.raises(AuthenticationError):
        await keys.authenticate(token)


async def test_tokens_take_up_a_bounded_memory(keys: Keys) -> None:
    """Wrong ones none at all, good ones a fixed number of places, the oldest of which goes first."""
    tokens = [(await keys.create("n", [Scope.GAME]))[1] for _ in range(3)]
    for n in range(50):
        with pytest.raises(AuthenticationError):
            await keys.authenticate(token_of("key_001", f"{n:064x}"))
    assert keys._seen == {}

    first = await keys.authenticate(tokens[0])
    (entry,) = keys._seen.values()
    keys._seen.update({n.to_bytes(2, "big"): entry for n in range(CACHED_AT_MOST - 1)})
    await keys.authenticate(tokens[1])

    assert len(keys._seen) == CACHED_AT_MOST
    assert b"\0\0" in keys._seen
    assert await keys.authenticate(tokens[0]) == first


async def test_the_configured_admin_key_may_do_everything(keys: Keys) -> None:
    """From the first start, in every world."""
    principal = await keys.authenticate(ADMIN_KEY)

    for scope in Scope:
        principal.require(scope)
    assert principal.may_see("anything")


async def test_without_a_configured_admin_key_there_is_none(state: StateStore, clock: Clock) -> None:
    """An empty token is then not the key that is not there."""
    keys = Keys(state, clock, lambda prefix: prefix)

    for token in ("", "None", ADMIN_KEY):
        with pytest.raises(AuthenticationError):
            await keys.authenticate(token)


def test_a_scope_that_is_missing_is_denied() -> None:
    """`admin` stands for every scope; of several that would do, one is enough."""
    writer = Principal("key_1", frozenset({Scope.WRITER}))

    writer.require(Scope.WRITER)
    writer.require(Scope.GAME, Scope.WRITER)
    Principal("key_2", frozenset({Scope.ADMIN})).require(Scope.MODERATOR)
    with pytest.raises(PermissionDenied, match="game or moderator"):
        writer.require(Scope.GAME, Scope.MODERATOR)
    with pytest.raises(PermissionDenied, match="admin"):
        writer.require(Scope.ADMIN)


def test_a_key_sees_its_own_world_alone() -> None:
    """One that is bound to none sees all of them."""
    bound = Principal("key_1", frozenset({Scope.ADMIN}), "emberfall")

    assert bound.may_see("emberfall")
    assert not bound.may_see("ember")
    assert Principal("key_2", frozenset()).may_see("ember")


async def test_keys_are_listed_page_by_page(keys: Keys) -> None:
    """By id; each page goes on after the last id of the one before."""
    created = [(await keys.create(f"n{n}", [Scope.GAME]))[0] for n in range(3)]

    assert await keys.list(limit=2) == created[:2]
    assert await keys.list(after=created[1].key_id, limit=2) == created[2:]


async def test_a_key_that_is_not_there_cannot_be_revoked(keys: Keys) -> None:
    """And is not made by trying."""
    with pytest.raises(NotFound):
        await keys.revoke("key_999")

    assert await keys.list() == []


async def test_a_retried_creation_answers_the_same_token(keys: Keys) -> None:
    """Its secret follows from the caller's own token, the idempotency key and the body, and from nothing less."""
    secret = derive_secret(ADMIN_KEY, "k", "body")

    key, token = await keys.create("n", [Scope.GAME], secret=secret)

    assert token == token_of(key.key_id, derive_secret(ADMIN_KEY, "k", "body"))
    assert (await keys.authenticate(token)).key_id == key.key_id
    others = [
        ("other token", "k", "body"),
        (ADMIN_KEY, "l", "body"),
        (ADMIN_KEY, "k", "bodz"),
        (ADMIN_KEY, "kb", "ody"),
    ]
    assert secret not in {derive_secret(*other) for other in others}


async def test_a_key_is_written_together_with_what_belongs_to_it(keys: Keys, state: StateStore) -> None:
    """Both or neither: a receipt that another has settled takes the new key back."""
    key, _ = await keys.create("n", [Scope.GAME], also=lambda key: Put("receipt", "r", {"key_id": key.key_id}, 0))

    record = await state.get("receipt", "r")
    assert record is not None
    assert record.value == {"key_id": key.key_id}
    with pytest.raises(VersionMismatch):
        await keys.create("n", [Scope.GAME], also=lambda _: Put("receipt", "r", {}, 0))
    assert await keys.list() == [key]


class Outage:
    """A state store that can be made to fail, or to hang."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self.failure: BackendUnavailable | None = None
        self.hangs = False
        self.slow: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    async def get(self, kind: str, key: str) -> Record | None:
        if self.failure:
            raise self.failure
        if self.hangs:
            await asyncio.Event().wait()
        if self.slow:
            await self.slow.wait()
        return await self._state.get(kind, key)


@pytest.fixture
def outage(state: StateStore) -> Outage:
    return Outage(state)


def keys_on(state: Any, clock: Clock) -> Keys:
    """As one replica has them."""
    return Keys(state, clock, lambda prefix: f"{prefix}_{uuid.uuid4().hex}")


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_a_key_that_was_good_lately_outlives_a_store_that_does_not_answer(
    outage: Outage, clock: Clock, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that is allowed, for five minutes, though not past its own end; one that was never seen does not."""
    monkeypatch.setattr("llmops_api.core.keys.LOOK_UP_SECONDS", 0.05)
    keys = keys_on(outage, clock)
    lasting, lasting_token = await keys.create("n", [Scope.GAME])
    _, ending_token = await keys.create("n", [Scope.GAME], expires_at=clock() + timedelta(minutes=2))
    _, unseen_token = await keys.create("n", [Scope.GAME])
    for token in (lasting_token, ending_token):
        await keys.authenticate(token)

    outage.hangs, outage.failure = hangs, None if hangs else BackendUnavailable("away", backend="state")
    clock.advance(minutes=3)

    assert (await keys.authenticate(lasting_token, in_outage=True)).key_id == lasting.key_id
    if not hangs:
        for token in (ending_token, unseen_token):
            with pytest.raises(BackendUnavailable):
                await keys.authenticate(token, in_outage=True)
        with pytest.raises(BackendUnavailable):
            await keys.authenticate(lasting_token)
        clock.advance(minutes=3)
        with pytest.raises(BackendUnavailable):
            await keys.authenticate(lasting_token, in_outage=True)


async def test_a_slow_store_tells_of_a_revocation_all_the_same(
    outage: Outage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that was not waited for counts when it comes."""
    monkeypatch.setattr("llmops_api.core.keys.LOOK_UP_SECONDS", 0.01)
    here, elsewhere = keys_on(outage, clock), keys_on(outage, clock)
    key, token = await here.create("n", [Scope.GAME])
    await here.authenticate(token)
    await elsewhere.revoke(key.key_id)
    outage.slow = asyncio.Event()
    clock.advance(seconds=3)

    assert (await here.authenticate(token, in_outage=True)).key_id == key.key_id
    outage.slow.set()
    while True:
        await asyncio.sleep(0.01)
        if not here._seen:
            break

    with pytest.raises(AuthenticationError):
        await here.authenticate(token, in_outage=True)


async def test_a_key_that_was_refused_does_not_come_back_in_an_outage(outage: Outage, clock: Clock) -> None:
    """Revoked on another replica, seen to be, and then the store is gone."""
    here, elsewhere = keys_on(outage, clock), keys_on(outage, clock)
    key, token = await here.create("n", [Scope.GAME])
    await here.authenticate(token)
    await elsewhere.revoke(key.key_id)
    clock.advance(seconds=3)
    with pytest.raises(AuthenticationError):
        await here.authenticate(token)

    outage.failure = BackendUnavailable("away", backend="state")

    with pytest.raises(BackendUnavailable):
        await here.authenticate(token)
