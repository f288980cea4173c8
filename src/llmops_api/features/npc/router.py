"""NPCs over HTTP: characters, dialogue, conversations."""

from fastapi import APIRouter

from llmops_api.errors import AuthenticationError, BackendUnavailable, BadInput, NotFound, PermissionDenied
from llmops_api.features.npc import character_routes, dialogue_routes
from llmops_api.problems import problems

router = APIRouter(
    prefix="/v1/worlds/{world}",
    responses=problems(AuthenticationError, PermissionDenied, NotFound, BadInput, BackendUnavailable),
)
router.include_router(character_routes.router)
router.include_router(dialogue_routes.router)
