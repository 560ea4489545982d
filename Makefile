# Everything here needs Python 3.11 to 3.14 and make, nothing more: `env` makes the rest in .venv/.
.DEFAULT_GOAL := help
.PHONY: help env run test check bench soak kills browser up down lock
SHELL := /bin/sh
BIN := .venv/bin/python
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
# the first suitable Python, or what was named: make PYTHON=/path/to/python3.12 …
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$each -c '$(SUITABLE)' 2>/dev/null && echo $$each && break; done)
# what the environment is made from; it is made again when any of it changes, or the folder has moved
SOURCES = { echo '$(CURDIR)'; cat requirements.lock pyproject.toml; }
PIP := $(BIN) -m pip install --quiet --disable-pip-version-check --no-deps

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##/  make \1\t/p' Makefile | expand -t 16

env:  ## the virtual environment .venv with every locked package
	@$(SOURCES) | cmp -s - .venv/.installed || { \
		{ test -n '$(PYTHON)' && '$(PYTHON)' -c '$(SUITABLE)'; } || \
			{ echo 'Loyalty Flows needs Python 3.11 to 3.14 (make PYTHON=… names another one)' >&2; exit 1; }; \
		echo 'Making the environment in .venv …'; \
		'$(PYTHON)' -m venv .venv && \
		$(PIP) --require-hashes --only-binary :all: --requirement requirements.lock && \
		$(PIP) --no-build-isolation --no-index --editable . && \
		$(SOURCES) > .venv/.installed; }

run: env  ## the main job on real data: a grocer's year loaded, closed and reported
	@$(BIN) -m deployments.demo

test: env  ## every test
	@$(BIN) -m pytest -q -n 2 --dist worksteal

soak: env  ## every law at its full counts, a line each (SOAK=--write keeps them in benchmarks.md)
	@$(BIN) -m tests.bench.soak $(SOAK)

kills: env  ## deployed runs killed in every step, servers killed, a full disk: each recovers (a quarter of an hour)
	@$(BIN) -m pytest -q -n 0 tests/recovery/kills.py

browser: env  ## a month in Prefect's UI, by the system's Chromium (over its API where there is none)
	@$(BIN) -m pytest -q -n 0 tests/browser/month_in_the_ui.py

check: env  ## lint, format, types, import contracts
	@$(BIN) -m ruff check .
	@$(BIN) -m ruff format --check .
	@$(BIN) -m mypy
	@.venv/bin/lint-imports

bench: env  ## the monthly close beside the floor, at three sizes, the import, and the till (BENCH=--write keeps the figures)
	@$(BIN) -m tests.bench.run $(BENCH)

up: env  ## the local stack: database, Prefect server, worker, deployments, API (LOYALTY_SCHEDULES=on: schedules too)
	@$(BIN) -m deployments.stack up

down: env  ## the local stack stopped, with all that run and up started
	@$(BIN) -m deployments.stack down

lock: env  ## requirements.lock from pyproject.toml, newest versions
	@$(BIN) -m pip install --quiet --disable-pip-version-check --target .venv/uv --upgrade uv
	@.venv/uv/bin/uv pip compile pyproject.toml --extra demo --extra dev --extra dask --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.lock
