# The whole workflow. `make demo` and `make test` are all that a fresh Debian 12 needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
# What the demo says: `make demo lang=en`.
lang ?= id
# Much of the suite waits for something: more workers than a small machine has cores.
WORKERS ?= 5
# Containers often set it: every one of the suite's thousand processes would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv parts demo test check fuzz bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: .venv/.stamp ## the Python environment, from pinned and hashed packages (quiet when up to date)
	@:

.venv/.stamp: requirements/dev.txt pyproject.toml deploy/venv.sh
	@deploy/venv.sh

parts: ## real broker and database for the tests, unpacked from Debian's packages into .parts
	@deploy/parts.sh

demo: venv ## simulated boards, edges, a broker and a gateway with its live page; s switches a site off, q ends it; lang=en: in English
	@$(BIN)/kewang demo --lang $(lang)

check: venv ## style, types and architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

test: venv parts check ## everything: check, then the whole test suite
	@$(BIN)/pytest --numprocesses=$(WORKERS)

fuzz: venv parts ## mutated payloads through decoder and gateway, mutated camera conversations through the RTSP client
	@$(BIN)/kewang bench fuzz
	@$(BIN)/kewang bench fuzz-rtsp

bench: venv parts ## every measurement, one after the other
	@$(BIN)/kewang bench all

lock: ## resolve requirements/*.txt anew from pyproject.toml (the only step that chooses versions)
	@deploy/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv .venv-lock .parts .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
