"""The options that several commands share."""

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="LLMOPS_URL", help="The service to talk to; without it, the local data folder."),
]
Key = Annotated[str | None, typer.Option("--key", envvar="LLMOPS_KEY", help="The key for that service.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for programs.")]
World = Annotated[str, typer.Option("--world", "-w", help="The world's id.")]
Locale = Annotated[str | None, typer.Option("--locale", help="Language tag (BCP 47); the world's when left out.")]
Model = Annotated[str | None, typer.Option("--model", help="An alias or provider:name.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only documents with one of these tags; repeatable.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only documents of these kinds; repeatable.")]
