# The service in an image: built in the first stage, and nothing of the building in the second. docs/decisions/0014-image.md says why.
FROM python:3.11-slim AS build

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
ENV VENV=/opt/llmops-api
RUN python -m venv --without-pip "$VENV"
COPY requirements/runtime.lock requirements/not-in-image.txt requirements/
RUN pip --python "$VENV/bin/python" install --no-cache-dir --no-compile --require-hashes --requirement requirements/runtime.lock

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip --python "$VENV/bin/python" wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python "$VENV/bin/python" install --no-cache-dir --no-compile --no-deps dist/*.whl

COPY scripts/trim_environment.py scripts/
RUN pip --python "$VENV/bin/python" uninstall --yes --requirement requirements/not-in-image.txt \
    && PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" scripts/trim_environment.py


FROM python:3.11-slim

# A numeric user, so that Kubernetes can check by itself that it is not root.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/llmops-api /opt/llmops-api

ENV PATH=/opt/llmops-api/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LLMOPS_HOST=0.0.0.0 \
    LLMOPS_PORT=8000 \
    LLMOPS_DATA_DIR=/data \
    ORT_DISABLE_TELEMETRY=1
VOLUME /data
EXPOSE 8000
USER 10001:10001
WORKDIR /

# Alive, not ready: a restart mends no database, and dialogue answers without one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-ISc", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['LLMOPS_PORT'] + '/health/live', timeout=2)"]

ENTRYPOINT ["llmops-api"]
CMD ["serve"]

# Last, since they change with each build.
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="llmops-api" \
      org.opencontainers.image.description="The service between game servers and language models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11-slim"
