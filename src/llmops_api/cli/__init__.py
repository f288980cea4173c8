"""The command line: every command but `serve` is a client of the HTTP API."""

import sys
from collections.abc import Sequence

from llmops_api.cli.failures import Failure
from llmops_api.cli.group import app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `llmops-api` with these arguments, or with those of the process; ends in `SystemExit`."""
    try:
        app(arguments, prog_name="llmops-api")
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)
