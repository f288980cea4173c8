"""API keys: who is calling, what they may do, and in which world.

A token is `llmops_<key id without its prefix>_<secret>`, the secret 64 hex digits. Only the secret's SHA-256 is kept:
it is random, so that nothing slower is needed.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from llmops_api.errors import AuthenticationError, BackendUnavailable, NotFound, PermissionDenied, VersionMismatch
from llmops_api.ports.state import Change, Put, Record, StateStore

KEY = "key"
CACHED_FOR = timedelta(seconds=2)
"""How long a replica may go on honouring a key that was revoked on another."""
CACHED_AT_MOST = 4096
HONOURED_FOR = timedelta(minutes=5)
"""How long a good key outlives a state store that does not answer, and so cannot tell of its revocation."""
LOOK_UP_SECONDS = 1.0
"""When a state store that hangs counts as one that does not answer, for a key that was good lately."""
_TOKEN = re.compile(r"llmops_([0-9A-Za-z_-]{1,128})_([0-9a-f]{64})")


class Scope(StrEnum):
    """What a key may do; `admin` may do all of it."""

    GAME = "game"
    WRITER = "writer"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. `world` None: every world."""

    key_id: str
    scopes: frozenset[Scope]
    world: str | None = None

    def require(self, *scopes: Scope) -> None:
        """Raise `PermissionDenied` unless the key has one of these scopes."""
        if self.scopes.isdisjoint((*scopes, Scope.ADMIN)):
            raise PermissionDenied(f"This needs a key with the scope {' or '.join(scopes)}.")

    def may_see(self, world: str) -> bool:
        return self.world is None or self.world == world


ADMIN = Principal("configured_admin", frozenset({Scope.ADMIN}))
"""Whoever holds the admin key of the settings; no key that we make has this id."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be shown: without its secret."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    world: str | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A key as it is kept."""

    key: Key
    digest: str

    @classmethod
    def of(cls, record: Record) -> "_Stored":
        value = record.value
        moments = {name: _parsed(value[name]) for name in ("expires_at", "revoked_at")}
        created_at = datetime.fromisoformat(value["created_at"])
        scopes = frozenset(map(Scope, value["scopes"]))
        key = Key(record.key, value["name"], scopes, value["world"], created_at, **moments)
        return cls(key, value["secret_sha256"])

    def put(self, expected_version: int) -> Put:
        key = self.key
        value = {
            "name": key.name,
            "scopes": sorted(key.scopes),
            "world": key.world,
            "created_at": key.created_at.isoformat(),
            "expires_at": key.expires_at and key.expires_at.isoformat(),
            "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
            "secret_sha256": self.digest,
        }
        return Put(KEY, key.key_id, value, expected_version)


def _parsed(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A token that was good, and from when until when it need not be looked up again.

    `at_most`: until when it is honoured at all without having been looked up.
    """

    principal: Principal
    since: datetime
    until: datetime
    at_most: datetime


class Keys:
    """The keys of this service. `now` is in UTC; `new_id("key")` gives a fresh id; `admin_key` is that of the settings."""

    def __init__(
        self,
        state: StateStore,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
        admin_key: str | None = None,
    ) -> None:
        self._state = state
        self._now = now
        self._new_id = new_id
        self._admin = None if admin_key is None else _digest(admin_key)
        self._seen: dict[bytes, _Seen] = {}

    async def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        world: str | None = None,
        expires_at: datetime | None = None,
        secret: str | None = None,
        also: Callable[[Key], Change] | None = None,
    ) -> tuple[Key, str]:
        """A new key and its token, which nobody can read again.

        `secret` is 64 hex digits, random unless given (`derive_secret`). `also` makes a change that is written
        together with the key, such as the settled receipt of the request that asked for it.
        """
        secret = secret or secrets.token_hex(32)
        key = Key(self._new_id("key"), name, frozenset(scopes), world, self._now(), expires_at)
        await self._state.write(_Stored(key, _digest(secret).hex()).put(0), *([also(key)] if also else []))
        return key, token_of(key.key_id, secret)

    def new_token(self) -> str:
        """A token that opens nothing until it is adopted."""
        return token_of(self._new_id("key"), secrets.token_hex(32))

    async def adopt(self, token: str, name: str, scopes: Iterable[Scope]) -> bool:
        """Make the key of a token that exists already, unless it is made; False when this is no token."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return False
        key = Key(f"key_{match[1]}", name, frozenset(scopes), None, self._now())
        with suppress(VersionMismatch):
            await self._state.write(_Stored(key, _digest(match[2]).hex()).put(0))
        return True

    async def list(self, *, world: str | None = None, after: str = "", limit: int = 100) -> list[Key]:
        """Keys by id, past the id `after`, those bound to `world` or all; the revoked and the expired ones too."""
        found: list[Key] = []
        while len(found) < limit and (records := await self._state.list(KEY, after=after, limit=limit)):
            after = records[-1].key
            found += [key for key in (_Stored.of(record).key for record in records) if world in {None, key.world}]
        return found[:limit]

    async def revoke(self, key_id: str, *, world: str | None = None) -> Key:
        """End a key, which must be bound to `world` if that is given, on every replica within `CACHED_FOR`.

        Raises `NotFound`; revoking twice is revoking once.
        """
        record = await self._state.get(KEY, key_id)
        if record is None or world not in {None, record.value["world"]}:
            raise NotFound("There is no such key.")
        stored = _Stored.of(record)
        if stored.key.revoked_at is None:
            stored = replace(stored, key=replace(stored.key, revoked_at=self._now()))
            await self._state.write(stored.put(record.version))
        self._seen.clear()
        return stored.key

    async def authenticate(self, token: str, *, in_outage: bool = False) -> Principal:
        """Who this token speaks for; `AuthenticationError`, with one message for every reason, when for nobody.

        `in_outage`: a key that was good lately is honoured while the state store does not answer, which is otherwise
        `BackendUnavailable`.
        """
        digest = _digest(token)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return ADMIN
        now = self._now()
        seen = self._seen.get(digest)
        # `since`: should the clock be set back, an entry must not live on until that hour comes again.
        if seen is None or not seen.since <= now < seen.until:
            renewing = asyncio.ensure_future(self._renewed(digest, token, now))
            if seen is None or not in_outage or not seen.since <= now < seen.at_most:
                return (await renewing).principal
            try:
                # It goes on when it is given up here: what it finds counts from then on.
                seen = await asyncio.wait_for(asyncio.shield(renewing), LOOK_UP_SECONDS)
            except (BackendUnavailable, TimeoutError):
                renewing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return seen.principal

    async def _renewed(self, digest: bytes, token: str, now: datetime) -> _Seen:
        try:
            seen = await self._look_up(token, now)
        except AuthenticationError:
            self._seen.pop(digest, None)
            raise
        self._remember(digest, seen)
        return seen

    async def _look_up(self, token: str, now: datetime) -> _Seen:
        match = _TOKEN.fullmatch(token)
        record = await self._state.get(KEY, f"key_{match[1]}") if match else None
        if match is None or record is None:
            raise _refusal()
        stored = _Stored.of(record)
        if not hmac.compare_digest(_digest(match[2]).hex(), stored.digest) or not stored.key.is_good(now):
            raise _refusal()
        key = stored.key
        until, at_most = (min(now + time, key.expires_at or now + time) for time in (CACHED_FOR, HONOURED_FOR))
        return _Seen(Principal(key.key_id, key.scopes, key.world), now, until, at_most)

    def _remember(self, digest: bytes, seen: _Seen) -> None:
        """Keep good tokens alone, and a bounded number of them: whoever guesses wrong takes up no memory."""
        self._seen.pop(digest, None)
        if len(self._seen) >= CACHED_AT_MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[digest] = seen


def token_of(key_id: str, secret: str) -> str:
    """What the holder of a key sends."""
    return f"llmops_{key_id.removeprefix('key_')}_{secret}"


def derive_secret(token: str, idempotency_key: str, body_fingerprint: str) -> str:
    """The secret of a key that is created under an `Idempotency-Key`: 64 hex digits, HMAC-SHA256 by the caller's token.

    A retry derives it again, so that it answers the same token although the secret is stored nowhere.
    """
    message = f"{len(idempotency_key)}:{idempotency_key}{body_fingerprint}"
    return hmac.new(token.encode(), message.encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _refusal() -> AuthenticationError:
    return AuthenticationError("The key is wrong, expired or revoked.")
