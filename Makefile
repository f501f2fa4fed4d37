# The same targets for people, hooks and CI. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help up test check fix bench docs agent lock
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

up: .venv/.installed ## set up what is missing and run Tocsin on this machine
	@exec $(BIN)/tocsin up $(ARGS)

# Those that start servers run two at a time; those that kill them one after another, undisturbed, and show
# their ledgers. pytest ends with 5 where there is nothing to run, as with ARGS=tests/db.
SERVERS := real or browser
test: .venv/.installed-dev ## run the tests; ARGS picks some: make test ARGS=tests/db
	@$(BIN)/pytest -n 3 -m "not ($(SERVERS) or faults)" $(ARGS); light=$$?; \
	$(BIN)/pytest -n 2 --dist loadfile -m "$(SERVERS)" $(ARGS); servers=$$?; \
	$(BIN)/pytest -m faults $(ARGS); faults=$$?; \
	case $$light$$servers$$faults in 555|*[1-46-9]*) exit 1 ;; esac

check: .venv/.installed-dev ## lint, types, floors, migrations
	@$(BIN)/ruff format --check tocsin tests bench deploy
	@$(BIN)/ruff check tocsin tests bench deploy
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | grep -E 'KEPT|BROKEN|not allowed|->|Contracts:'; exit $${PIPESTATUS[0]}
	@TOCSIN_DATA_DIR=$$(mktemp -d) $(BIN)/tocsin makemigrations --check --dry-run
	@if command -v uv >/dev/null; then uv lock --check --quiet; fi

fix: .venv/.installed-dev ## format and mend what can be mended
	@$(BIN)/ruff format tocsin tests bench deploy
	@$(BIN)/ruff check --fix tocsin tests bench deploy

bench: .venv/.installed-dev ## measure against Alertmanager, where it is installed
	@$(BIN)/python -m bench $(ARGS)

docs: .venv/.installed-dev ## write the reference pages from the code
	@env -u TOCSIN_HOST -u TOCSIN_PORT TOCSIN_DATA_DIR=$$(mktemp -d) $(BIN)/tocsin docs docs/reference

agent: .venv/.installed ## build dist/tocsin-agent.pyz, the agent in one file; PLATFORM=… for another machine
	@$(BIN)/python deploy/agent/build.py $(if $(PLATFORM),--platform $(PLATFORM))

lock: ## renew uv.lock and the requirement files made of it
	uv lock
	uv export --quiet --no-dev --all-extras --no-emit-project --format requirements-txt -o requirements.txt
	uv export --quiet --all-extras --no-emit-project --format requirements-txt -o requirements-dev.txt
	uv export --quiet --only-group build --format requirements-txt -o requirements-build.txt

# uv with its lock file where there is uv, else venv and pip with the same versions.
.venv/.installed: pyproject.toml uv.lock
	@echo "Setting up .venv …"
	@if command -v uv >/dev/null; then uv sync --quiet --locked --no-dev --all-extras --inexact; else \
		test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; fi
	@touch $@

.venv/.installed-dev: pyproject.toml uv.lock
	@echo "Setting up .venv with the tools for tests …"
	@if command -v uv >/dev/null; then uv sync --quiet --locked --all-extras; else \
		test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; fi
	@touch $@ .venv/.installed
