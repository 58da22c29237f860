# Python 3.11-3.13 and make are enough: the targets set up everything else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help call talk test test-livekit check audit bench-hangup studio clean

help:  ## Show these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1  #/p' $(MAKEFILE_LIST) | awk -F'#' '{printf "%-21s%s\n", $$1, $$2}'

# uv, which is itself installed in the environment, creates it from the lock file.
$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Lastword needs Python 3.11 to 3.13, $(PYTHON) is %d.%d: try make PYTHON=python3.13" % v)'
	@echo "Creating the environment in $(VENV) from uv.lock ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/python -m uv sync --quiet --locked --all-extras --compile-bytecode
	@touch $@

call: $(READY)  ## Run a complete call on this machine (GRAPH=, SCRIPT=, METADATA=, PORT=)
	@$(BIN)/lastword call $(if $(GRAPH),--graph '$(GRAPH)') $(if $(SCRIPT),--script '$(SCRIPT)') $(if $(METADATA),--metadata '$(METADATA)') $(if $(PORT),--port '$(PORT)')

talk: $(READY)  ## Talk to a graph yourself (GRAPH=, METADATA=, AUDIO=1 for microphone and loudspeaker)
	@$(BIN)/lastword talk $(if $(GRAPH),--graph '$(GRAPH)') $(if $(METADATA),--metadata '$(METADATA)') $(if $(AUDIO),--audio)

test: $(READY)  ## Run all tests, including those in real rooms (ARGS= selects some)
	@$(BIN)/python -m lastword.testing.stage.livekit_server
	@$(if $(ARGS),$(BIN)/pytest $(ARGS),$(BIN)/python -m tests.run)

test-livekit: $(READY)  ## Test LiveKit's own behaviour; .ci/run does this when its versions change
	@$(BIN)/python -m lastword.testing.stage.livekit_server
	@$(BIN)/pytest tests/livekit
	@$(BIN)/python -m tests.livekit.stamp --write

check: $(READY)  ## Check lint, format, types, the sample graphs and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lastword check
	@$(BIN)/lint-imports

audit: $(READY)  ## Look up known vulnerabilities of the locked dependencies
	@$(BIN)/python -m tools.audit

bench-hangup: $(READY)  ## Measure how calls end, also with LiveKit's EndCallTool (CALLS=, PAIRS=)
	@$(BIN)/python -m benchmarks.hangup $(if $(CALLS),--calls '$(CALLS)') $(if $(PAIRS),--pairs '$(PAIRS)')

studio: $(READY)  ## Open the graphs in LangGraph Studio
	@$(BIN)/langgraph dev --config langgraph.json

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) .cache .langgraph_api .mypy_cache .ruff_cache .pytest_cache .hypothesis
