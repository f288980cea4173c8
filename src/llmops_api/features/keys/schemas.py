"""What goes over the wire about API keys."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from llmops_api.core.keys import Key, Scope
from llmops_api.schemas import ID, GivenModel, Timestamp, VisibleText, WireModel


class KeyRequest(GivenModel):
    """A key for one caller: as few scopes as it needs, one world if it serves one game."""

    name: VisibleText = Field(max_length=200, examples=["emberfall game server"], description="For people, in lists.")
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(
        min_length=1, max_length=4, examples=[["game"]], description="What it may do; `admin` may do everything."
    )
    world: str | None = Field(None, pattern=ID, max_length=128, description="The only world that it may see.")
    expires_at: Timestamp | None = Field(None, description="When it stops working.")


class KeyResponse(WireModel):
    """A key without its secret."""

    key_id: str = Field(description="For revoking it; no secret.")
    name: str = Field(description="For people, in lists.")
    scopes: list[Scope] = Field(description="What it may do.")
    world: str | None = Field(description="The only world that it may see; null: every world.")
    created_at: datetime
    expires_at: datetime | None = Field(description="When it stops working; null: never.")
    revoked_at: datetime | None = Field(description="When it was revoked; null: it was not.")

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

    key: str = Field(description="The secret, for `Authorization: Bearer`.")
