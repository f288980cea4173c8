"""What goes over the wire about API keys."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from llmops_api.core.keys import Key, Scope
from llmops_api.schemas import ID, GivenModel, VisibleText, WireModel


class KeyRequest(GivenModel):
    """A key for one caller: as few scopes as it needs, one world if it serves one game."""

    name: VisibleText = Field(max_length=200, examples=["emberfall game server"])
    scopes: list[Scope] = Field(min_length=1, max_length=4, examples=[["game"]])
    world: str | None = Field(None, pattern=ID, max_length=128, description="The only world that it may see.")
    expires_at: AwareDatetime | None = Field(None, description="When it stops working.")


class KeyResponse(WireModel):
    """A key without its secret."""

    key_id: str
    name: str
    scopes: list[Scope]
    world: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: Key) -> "KeyResponse":
        return cls(
            key_id=key.key_id,
            name=key.name,
            scopes=sorted(key.scopes),
            world=key.world,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class KeyCreated(KeyResponse):
    """A new key; `key` is what callers send, and this is the only time that it is shown."""

    key: str
