"""The command line: every command but `serve` is a client of the HTTP API."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from llmops_api.cli.failures import Failure, WrongUse
from llmops_api.cli.group import app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `llmops-api` with these arguments, or with those of the process; ends in `SystemExit`."""
    try:
        app(arguments, prog_name="llmops-api")
    except Failure as failure:
        _end(str(failure), failure.exit_code)
    except OSError as error:
        _end(f"{error.filename or 'the operating system'}: {error.strerror or error}", WrongUse.exit_code)


def _end(message: str, exit_code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(exit_code)
