"""What ends a command, each with its exit code; the text is all that is shown.

Failure 1
├── CheckFailed 1   the command did its work and the outcome is a failure
├── WrongUse 2      the arguments, a file or the settings are wrong
├── OutOfReach 3    the service, or a backend of it, cannot be reached
├── Interrupted 130 Ctrl-C, with something that the user should know
└── Refused 2 or 3  the service answered with a problem document
"""

from collections.abc import Iterator, Mapping
from typing import Any


class Failure(Exception):
    """The family."""

    exit_code = 1


class CheckFailed(Failure):
    exit_code = 1


class WrongUse(Failure):
    exit_code = 2


class OutOfReach(Failure):
    exit_code = 3


class Interrupted(Failure):
    exit_code = 130


class Refused(Failure):
    """An RFC 9457 problem: a fault of the service or of what it stands on is 3, a fault of the request is 2."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.status = int(problem.get("status", 500))
        ours = self.status < 500 and self.status != 429
        self.exit_code = WrongUse.exit_code if ours else OutOfReach.exit_code
        super().__init__("\n".join(_lines(problem, self.status)))


def _lines(problem: Mapping[str, Any], status: int) -> Iterator[str]:
    yield str(problem.get("detail") or problem.get("title") or f"status {status}")
    for each in problem.get("errors") or ():
        hint = f" ({each['hint']})" if each.get("hint") else ""
        yield f"  {each['field'] or 'body'}: {each['message']}{hint}"
    if status == 401:
        yield "  Give a key with --key or LLMOPS_KEY."
    if status >= 500 and problem.get("trace_id"):
        yield f"  trace {problem['trace_id']}"
