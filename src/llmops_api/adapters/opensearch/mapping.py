"""How a lore index is made in OpenSearch: its fields, its analysis, its vectors.

Terms come analysed, so the only analysis is to split them at blanks. BM25 has OpenSearch's defaults, k1 1.2 and b 0.75,
written out because every lore index has them.
"""

from typing import Any

from llmops_api.adapters.opensearch.settings import OpenSearchSettings

FORMAT = 1
"""Of the mapping; it ends the name of the index behind the alias."""

_LONGEST_TERM = 10_922
"""UTF-16 units: at most three bytes each, and Lucene refuses a document with a term of more than 32,766 bytes."""

_LONGEST_TOKEN = 1_048_576
"""The most that a tokenizer may be set to; at more it cuts in two."""

_GRAPH = {"m": 16, "ef_construction": 256}
"""Of HNSW: a little more care at the building than the default, for a recall beyond .99 at 100 candidates."""


def creation(alias: str, embedder_id: str, dimensions: int, settings: OpenSearchSettings) -> dict[str, Any]:
    """The body that makes an empty index and its alias in one step."""
    # A serverless collection decides on its shards by itself.
    layout = (
        {} if settings.serverless else {"number_of_shards": settings.shards, "number_of_replicas": settings.replicas}
    )
    return {
        "settings": {
            "index": {**layout, "knn": dimensions > 0, "similarity.default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
            "analysis": _ANALYSIS,
        },
        "mappings": {
            "dynamic": False,
            "_meta": {"embedder_id": embedder_id, "dimensions": dimensions},
            # Kept where they are searched (`chunks.vector`, `keys`) and read (`packed`), not a third time as JSON.
            "_source": {"excludes": ["chunks.vector", "keys", "packed"]},
            "properties": _fields(dimensions, settings.engine),
        },
        "aliases": {alias: {}},
    }


_ANALYSIS = {
    "tokenizer": {"blanks": {"type": "whitespace", "max_token_length": _LONGEST_TOKEN}},
    "filter": {"holdable": {"type": "length", "max": _LONGEST_TERM}},
    "analyzer": {"terms": {"type": "custom", "tokenizer": "blanks", "filter": ["holdable"]}},
}


def _fields(dimensions: int, engine: str) -> dict[str, Any]:
    terms = {"type": "text", "analyzer": "terms", "index_options": "freqs"}
    word = {"type": "keyword"}
    chunks: dict[str, Any] = {"type": "nested", "dynamic": False}
    if dimensions:
        method = {"name": "hnsw", "engine": engine, "space_type": "cosinesimil", "parameters": _GRAPH}
        chunks["properties"] = {"vector": {"type": "knn_vector", "dimension": dimensions, "method": method}}
    return {
        "document_id": word,
        "kind": word,
        "tags": word,
        "locale": word,
        "title_terms": terms,
        "text_terms": terms,
        "chunks": chunks,
        "keys": word,
        "packed": {"type": "binary", "store": True},
        "age": {"type": "long"},
        "gone": {"type": "boolean"},
    }
