# Needs a Python of 3.11 or newer and the package index, nothing else. `make` lists the commands.

BIN := .venv/bin
JOBS ?= 3
ROUNDS ?= 20
ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes --only-binary :all:

.DEFAULT_GOAL := help
.PHONY: help up down test check coverage bench chaos interop pins clean
.DELETE_ON_ERROR:

help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/run ## Run everything here: Postgres, Temporal, mailbox, API, worker; Ctrl-C stops it
	@exec $(BIN)/python -m postroom.local up

down: .venv/run ## Stop what `make up` runs in another terminal
	@exec $(BIN)/python -m postroom.local down

test: .venv/dev ## Run every test on real parts (JOBS=3, ARGS="-k name")
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: .venv/dev ## Lint, format, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

coverage: .venv/dev ## Run the tests and show the lines they do not reach
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --cov --cov-report=term-missing $(ARGS)

bench: .venv/dev ## Measure against bare FastAPI, bare Temporal and bare SMTP on this machine
	$(BIN)/python -m benchmarks $(ARGS)

chaos: .venv/dev ## Kill every part at every barrier, many times (ROUNDS=20)
	$(BIN)/python -m pytest -m chaos --rounds $(ROUNDS) --timeout 3600 $(ARGS)

interop: .venv/dev ## Send through Postfix, verify with OpenDKIM, score with SpamAssassin (as root; Debian packages)
	$(BIN)/python -m tests.interop

pins: ## Compile the requirements again after a change in pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make pins needs uv (pip install uv)." >&2; exit 1; }
	uv pip compile pyproject.toml $(PINS) -o requirements.txt
	uv pip compile pyproject.toml --extra local -c requirements.txt $(PINS) -o requirements-local.txt
	uv pip compile pyproject.toml --extra local --extra dev -c requirements-local.txt $(PINS) -o requirements-dev.txt

PINS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

clean: ## Remove the virtual environment and caches; data in .data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage

# A virtual environment whose Python was removed or upgraded away is made anew.
ifneq ($(wildcard .venv/made),)
ifneq ($(shell $(BIN)/python -c 'print("works")' 2>/dev/null),works)
$(shell rm -rf .venv)
endif
endif

.venv/made:
	@set -e; rm -rf .venv; python=$$(sh deploy/find-python $(PYTHON)); \
	echo "Making .venv with $$($$python --version)"; \
	$$python -m venv .venv || { rm -rf .venv; \
		echo "This Python cannot make virtual environments; install its venv module (Debian: apt install python3-venv)." >&2; \
		exit 1; }
	@touch $@

.venv/run: requirements-local.txt .venv/made
	@echo "Installing what Postroom runs on (once, about a minute)"
	@$(PIP) -r requirements-local.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@echo "Installing what its tests and checks need (once)"
	@$(PIP) --no-binary dkimpy -r requirements-dev.txt  # which has no wheel
	@touch $@
