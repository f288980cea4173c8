"""API keys over HTTP."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from llmops_api.core.keys import Key, Principal, derive_secret, token_of
from llmops_api.dependencies import AdminDep, KeysDep, TokenDep
from llmops_api.errors import PermissionDenied
from llmops_api.features.keys.schemas import KeyCreated, KeyRequest, KeyResponse
from llmops_api.paging import After, Limit, page_of
from llmops_api.ports.state import Put
from llmops_api.problems import ACT_PROBLEMS, KEYED, problems
from llmops_api.responses import IDEMPOTENT, begin, fingerprint_of, json_response, released
from llmops_api.schemas import ID, Page

router = APIRouter(
    prefix="/v1/keys",
    tags=["Keys"],
    responses=KEYED,
)

KeyId = Annotated[str, Path(pattern=ID, max_length=128, description="As the list of keys shows it; no secret.")]


@router.post(
    "",
    summary="Create a key",
    status_code=201,
    response_model=KeyCreated,
    openapi_extra=IDEMPOTENT,
    responses=problems(*ACT_PROBLEMS),
)
async def create_key(request: Request, admin: AdminDep, token: TokenDep, body: KeyRequest, keys: KeysDep) -> Response:
    """The answer is the only time that the key is shown: we keep a digest of it.

    Who is bound to a world makes, sees and revokes the keys of that world alone.
    """
    world = _bound(admin, body)
    fingerprint = fingerprint_of(body)
    receipt = await begin(request, admin, fingerprint)
    # Under an Idempotency-Key the secret follows from the caller's own token, so that a retry can be given it again.
    secret = None if receipt is None else derive_secret(token, request.headers["idempotency-key"], fingerprint.hex())
    if receipt is not None and receipt.replay is not None:
        shown = KeyResponse.model_validate(receipt.replay)
        answer = KeyCreated(**shown.model_dump(), key=token_of(shown.key_id, str(secret)))
        return json_response(answer, HTTPStatus.CREATED, {"idempotent-replayed": "true"})

    def settled(key: Key) -> Put:
        assert receipt is not None
        return receipt.settle(KeyResponse.of(key).model_dump(mode="json"))

    async with released(receipt):
        key, made = await keys.create(
            body.name,
            body.scopes,
            world=world,
            expires_at=body.expires_at,
            secret=secret,
            also=None if receipt is None else settled,
        )
    return json_response(KeyCreated(**KeyResponse.of(key).model_dump(), key=made), HTTPStatus.CREATED)


@router.get("", summary="List the keys")
async def list_keys(admin: AdminDep, keys: KeysDep, after: After, limit: Limit = 50) -> Page[KeyResponse]:
    """Keys by id, the revoked ones too, without their secrets."""
    found = await keys.list(world=admin.world, after=after, limit=limit + 1)
    return page_of(found, limit, key=lambda key: key.key_id, show=KeyResponse.of)


@router.delete("/{key_id}", summary="Revoke a key", status_code=204)
async def revoke_key(admin: AdminDep, key_id: KeyId, keys: KeysDep) -> None:
    """Ends it here at once, and on every replica within seconds."""
    await keys.revoke(key_id, world=admin.world)


def _bound(admin: Principal, body: KeyRequest) -> str | None:
    """The world of the new key: nobody gives away more than they have."""
    if admin.world is not None and body.world not in {None, admin.world}:
        raise PermissionDenied("A key that is bound to a world makes keys for that world alone.")
    return admin.world or body.world
