"""Text over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from llmops_api.core.stopwatch import Stopwatch
from llmops_api.dependencies import GameDep, ModelsDep, ReaderDep
from llmops_api.features.text.schemas import GenerateRequest, GenerateResponse, ModelsResponse, ProviderStatus
from llmops_api.features.text.service import TextService
from llmops_api.problems import ACT_PROBLEMS, KEYED, MODEL_PROBLEMS, problems
from llmops_api.responses import IDEMPOTENT, claim, respond

router = APIRouter(
    prefix="/v1",
    tags=["Text"],
    responses=KEYED,
)

EXAMPLES = {
    "prompt": {"summary": "A prompt", "value": {"prompt": "Write one line that a ferrywoman says in the rain."}},
    "messages": {
        "summary": "Messages, streamed",
        "value": {
            "model": "default",
            "system": "You write barks for a town guard.",
            "messages": [{"role": "user", "content": "A cart full of geese arrives."}],
            "parameters": {"max_tokens": 60, "temperature": 0.7},
            "stream": True,
        },
    },
    "json": {
        "summary": "JSON that fits a schema",
        "value": {
            "prompt": "Name a tavern and its speciality.",
            "response_format": {
                "type": "json_schema",
                "name": "tavern",
                "schema": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "speciality": {"type": "string"}},
                    "required": ["name", "speciality"],
                    "additionalProperties": False,
                },
            },
        },
    },
}


@router.post(
    "/text/generate",
    summary="Generate text",
    response_model=GenerateResponse,
    openapi_extra=IDEMPOTENT,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(*ACT_PROBLEMS, *MODEL_PROBLEMS),
    },
)
async def generate(
    request: Request,
    principal: GameDep,
    body: Annotated[GenerateRequest, Body(openapi_examples=EXAMPLES)],
) -> Response:
    """Text from an alias or a `provider:name`, whole or as server-sent events (`delta`, `usage`, `done`, `error`)."""
    service = TextService(request.app.state.models, request.app.state.backends)
    watch = Stopwatch(body.deadline_ms)
    receipt = await claim(request, principal, body, deadline=watch.deadline)
    return await respond(request, receipt, lambda _receipt: service.events(body, watch), stream=body.stream)


@router.get("/models", summary="List aliases and providers")
async def list_models(_reader: ReaderDep, models: ModelsDep) -> ModelsResponse:
    """What each alias points to, and whether each provider answers right now."""
    return ModelsResponse(
        aliases={alias: [str(ref) for ref in refs] for alias, refs in models.aliases.items()},
        providers=[
            ProviderStatus(name=each.name, answers=each.answers, detail=each.reason) for each in await models.list()
        ],
    )
