"""moto's server, taught the calls of Bedrock that it lacks: its own parser and serializer speak the wire.

Run as `python -m tests.upstreams.bedrock_moto FD` on a listening socket. What is sent is checked against botocore's
service model; a fault in it is a `ValidationException`.
"""

import json
import sys
from urllib.parse import unquote

from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.server import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.upstreams.bedrock_wire import answer_of, embeddings_of, events_of, faults_of


class ValidationException(ServiceException):
    code = "ValidationException"


def _model(response: BedrockRuntimeResponse) -> str:
    return unquote(response.uri_match["modelId"])


def _checked(response: BedrockRuntimeResponse, operation: str) -> dict:
    body = json.loads(response.body)
    if faults := faults_of(operation, {"modelId": _model(response), **body}):
        raise ValidationException(faults)
    return body


def converse(self: BedrockRuntimeResponse) -> ActionResult:
    return ActionResult(answer_of(_model(self), _checked(self, "Converse")))


def converse_stream(self: BedrockRuntimeResponse) -> ActionResult:
    return ActionResult({"stream": events_of(_model(self), _checked(self, "ConverseStream"))})


def invoke_model(self: BedrockRuntimeResponse) -> ActionResult:
    try:
        answer = embeddings_of(_model(self), json.loads(self.body))
    except (KeyError, ValueError) as error:
        raise ValidationException(str(error)) from error
    return ActionResult({"body": json.dumps(answer), "contentType": "application/json"})


def list_async_invokes(self: BedrockRuntimeResponse) -> ActionResult:
    return ActionResult({"asyncInvokeSummaries": []})


def main() -> None:
    for method in (converse, converse_stream, invoke_model, list_async_invokes):
        setattr(BedrockRuntimeResponse, method.__name__, method)
    make_server(
        "127.0.0.1",
        0,
        create_backend_app("bedrockruntime"),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=int(sys.argv[1]),
    ).serve_forever()


if __name__ == "__main__":
    main()
