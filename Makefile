# The only set-up is made by the targets themselves: Python 3.11-3.13 and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help call talk test test-livekit check audit bench-hangup studio clean

help:  ## Show the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1  #/p' $(MAKEFILE_LIST) | awk -F'#' '{printf "%-21s%s\n", $$1, $$2}'

# The environment is made from the lock file by uv, which lives in it like any other package.
$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Lastword needs Python 3.11 to 3.13, $(PYTHON) is %d.%d: try make PYTHON=python3.13" % v)'
	@echo "Making the environment in $(VENV) from uv.lock ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/python -m uv sync --quiet --locked --all-extras --compile-bytecode
	@touch $@

call: $(READY)  ## Make a whole call on this machine (GRAPH=, SCRIPT=, METADATA=, PORT=)
	@$(BIN)/lastword call $(if $(GRAPH),--graph '$(GRAPH)') $(if $(SCRIPT),--script '$(SCRIPT)') $(if $(METADATA),--metadata '$(METADATA)') $(if $(PORT),--port '$(PORT)')

talk: $(READY)  ## Talk to a graph yourself (GRAPH=, AUDIO=1 for microphone and loudspeaker)
	@$(BIN)/lastword talk $(if $(GRAPH),--graph '$(GRAPH)') $(if $(METADATA),--metadata '$(METADATA)') $(if $(AUDIO),--audio)

test: $(READY)  ## Run every test, the real-room ones included (ARGS= chooses some)
	@$(BIN)/python -m lastword.testing.stage.livekit_server
	@$(if $(ARGS),$(BIN)/pytest $(ARGS),$(BIN)/python -m tests.run)

test-livekit: $(READY)  ## Test what LiveKit does by itself; .ci/run does when its versions change
	@$(BIN)/python -m lastword.testing.stage.livekit_server
	@$(BIN)/pytest tests/livekit
	@$(BIN)/python -m tests.livekit.stamp --write

check: $(READY)  ## Lint, format, types, the sample graphs, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lastword check
	@$(BIN)/lint-imports

audit: $(READY)  ## Look up known vulnerabilities of the locked dependencies
	@$(BIN)/python -m tools.audit

bench-hangup: $(READY)  ## Measure the end of many calls, and against LiveKit's EndCallTool (CALLS=, PAIRS=)
	@$(BIN)/python -m benchmarks.hangup $(if $(CALLS),--calls '$(CALLS)') $(if $(PAIRS),--pairs '$(PAIRS)')

studio: $(READY)  ## Open the graphs in LangGraph Studio
	@$(BIN)/langgraph dev --config langgraph.json

clean:  ## Remove the environment and everything that was built
	rm -rf $(VENV) .cache .langgraph_api .mypy_cache .ruff_cache .pytest_cache .hypothesis
