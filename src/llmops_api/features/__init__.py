"""The use-cases, in the order of the OpenAPI page."""

from llmops_api.features.health.router import router as health
from llmops_api.features.jobs.router import router as jobs
from llmops_api.features.keys.router import router as keys
from llmops_api.features.npc.character_router import router as characters
from llmops_api.features.npc.router import router as dialogue
from llmops_api.features.rag.ingest_router import router as ingest
from llmops_api.features.rag.router import router as rag
from llmops_api.features.text.router import router as text
from llmops_api.features.transfer.router import router as transfer
from llmops_api.features.worlds.router import router as worlds

ROUTERS = (text, worlds, transfer, rag, ingest, characters, dialogue, jobs, keys, health)
