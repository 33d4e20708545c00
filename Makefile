# `make` alone lists what there is. Everything that is needed goes into .venv, .venv-sandbox and the Countersign home.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SANDBOX := .venv-sandbox/.ready

# Compiled modules make every start after the first one several seconds quicker.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo tour sandbox test figures evaluate check lint crash-sweep bench-knowledge setup run lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(READY) ## try it: a workspace in your browser, a directory server, the bot; no account, no key
	@$(BIN)/countersign demo

tour: $(READY) ## let the demo play its five steps by itself
	@$(BIN)/countersign demo --tour

sandbox: $(READY) $(SANDBOX) ## start real servers to try workflows on: a directory, a ticket system (countersign sandbox stop)
	@$(BIN)/countersign sandbox start

test: $(READY) $(SANDBOX) ## run every test that this machine can run
	@$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

figures: $(READY) ## measure every promise of docs/governance.md, a line of JSON each (QUICK=1: a sample in two minutes)
	@$(BIN)/python -m tests.figures $(if $(QUICK),--quick) $(ARGS)

crash-sweep: $(READY) ## kill a process at every point of every workflow, and renew docs/crash-sweep.md (20 minutes or more)
	@$(BIN)/python -m tests.crash.sweep $(ARGS)

evaluate: $(READY) ## measure the answers on the real question sets, and renew docs/evaluation.md
	@$(BIN)/python -m tests.evals.figures

check: lint ## format, lint, types, import contracts and the quick tests
	@$(BIN)/pytest -n 2 --dist loadscope -q tests/unit

lint: $(READY) ## format, lint, types and import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache > .venv/imports.log || { cat .venv/imports.log; exit 1; }

bench-knowledge: $(READY) ## measure ingests, answers and memory (minutes; docs/editions.md)
	@$(BIN)/python -m tests.bench.knowledge $${TMPDIR:-/tmp}/countersign-bench $(ARGS)

setup: $(READY) ## make .venv with the command countersign in it

run: $(READY) ## connect to the Slack workspace whose tokens are set (docs/slack.md)
	@$(BIN)/countersign run

lock: $(READY) ## pin the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade connectors/sandbox/requirements.in -o connectors/sandbox/requirements.lock

clean: ## remove the environments and the caches; homes stay
	rm -rf .venv .venv-sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The installer is pinned by the same lock, and brought by pip.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Countersign needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv ..."
	@test -x $(BIN)/python -a -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/installer.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/installer.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)

# The sandbox's servers are programs of their own: Countersign talks to them, and imports none of what they need.
$(SANDBOX): connectors/sandbox/requirements.lock | $(READY)
	@$(BIN)/python -m connectors.sandbox.environment
	@touch $(SANDBOX)
