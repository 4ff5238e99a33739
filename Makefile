# One entry for every job; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never
BIN := .venv/bin

# Python of the image.
export IMAGE_PYTHON := 3.13

.PHONY: help setup test-tools tls-server kubectl wheels image compose-test binary audit dashboards rules analysts screenshots words simulate demo test lint format bench clean chaos chaos-full chaos-bugs rolling-restart soak

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Scrutin needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=/path/to/python3."; exit 1; }
	@command -v cargo >/dev/null || { echo "Scrutin needs Rust (cargo, 1.88 or newer) to build its extension."; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

setup: $(UV) ## build .venv with the locked dependencies and the extension
	@# Compiled now: every process would do it anew where PYTHONDONTWRITEBYTECODE is set.
	@$(UV) sync --quiet --locked --python $(PYTHON) --compile-bytecode --extra demo --extra bench --extra otel
	@$(BIN)/python -m compileall -q hashgen shards clickhouse edge

demo: setup ## the whole system on this machine: make demo ARGS="--electors 100000"
	@$(BIN)/scrutin demo $(ARGS)

# Programs that only tests need; Debian's packages have their names. `amtool` is in Alertmanager's.
TEST_TOOLS := chromium wrk haproxy prometheus prometheus-alertmanager prometheus-node-exporter

test-tools: # installed where that is allowed
	@missing=; for tool in $(TEST_TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then :; elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	  then apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "The tests need$$missing: sudo apt-get install$$missing (or your system's packages)"; exit 1; fi

kubectl: # builds k8s/ for its tests
	@command -v kubectl >/dev/null || { echo "The tests of k8s/ need kubectl 1.27 or newer: https://kubernetes.io/docs/tasks/tools/"; exit 1; }

tls-server: # the wheel's server was built without TLS
	@sh tests/support/tls-server.sh .tools/tls-server

screenshots: setup test-tools ## draw every page and state into docs/screenshots
	@mkdir -p docs/screenshots
	$(BIN)/pytest -q tests/browser/test_states.py tests/browser/test_reviewing.py --screenshots docs/screenshots

test: setup test-tools kubectl tls-server ## every test, against real engines on free ports
	cargo test --quiet --manifest-path native/Cargo.toml
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

lint: setup ## formatting, types, imports, clippy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cargo fmt --manifest-path native/Cargo.toml --check
	cargo clippy --quiet --manifest-path native/Cargo.toml --all-targets -- -D warnings

bench: setup ## every promise of speed and size measured (needs wrk and oha; about 20 minutes)
	cargo bench --quiet --manifest-path native/Cargo.toml
	$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only
	$(BIN)/scrutin bench run --against docs/bench-results.json $(ARGS)

dashboards: setup ## write the Grafana dashboards that compose/dashboards describes
	$(BIN)/python -m compose.dashboards

rules: ## write k8s' alerts from those of compose/prometheus
	@$(PYTHON) -m compose.kubernetes

analysts: setup ## write docs/analysts.md from schema, queries, roles and kept figures
	$(BIN)/python -m tests.analysts

format: setup ## apply the formatters
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt --manifest-path native/Cargo.toml

simulate: setup ## the vote path in simulated time: make simulate SEEDS=5000, replay with SEED=k
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos: setup ## faults against the whole system: make chaos SEED=1 RUNS=5 SCENARIO=primary_killed
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --runs $(or $(RUNS),1) $(if $(SCENARIO),--scenario $(SCENARIO))

chaos-full: setup ## every fault 50 times, 20 pairs, planted bugs: about an hour; writes docs/chaos-results.json
	$(BIN)/python -m tests.chaos --full $(or $(JOBS),2) --runs $(or $(RUNS),50) --results docs/chaos-results.json
	$(BIN)/python -m tests.chaos --bugs --results docs/chaos-results.json

chaos-bugs: setup ## plant a bug at a time: each must be caught by a scenario
	@$(BIN)/python -m tests.chaos --bugs

wheels: $(UV) ## what the image installs, with lists of crates, packages and licences: dist/wheels
	compose/package/wheels.sh dist/wheels

image: wheels ## the image scrutin:dev (needs Docker)
	docker build --build-arg WHEELS=dist/wheels --tag scrutin:dev .

compose-test: setup ## compose/ run for real, votes cast while containers die (needs Docker)
	@$(BIN)/python -m tests.compose $(ARGS)

binary: setup ## the service as one file that needs no Python: dist/scrutin
	compose/package/binary.sh dist

audit: setup ## known weaknesses, licences and sources of packages and crates, reproducible wheel
	@compose/package/audit.sh

rolling-restart: setup ## every process started anew under load, none may cost a vote: RATE=1000 ROUNDS=1
	@$(BIN)/python -m tests.operations rolling-restart --rate $(or $(RATE),1000) --rounds $(or $(ROUNDS),1)

soak: setup ## a steady load, everything stays flat: make soak DURATION=1h RATE=1000; writes docs/soak.md
	@$(BIN)/python -m tests.operations soak --rate $(or $(RATE),1000) --duration $(or $(DURATION),1h)

words: setup ## bring the pages' catalogues up to date with what the pages say
	$(BIN)/pybabel -q extract -F pyproject.toml --no-location --sort-output --omit-header -o target/messages.pot edge
	for language in fr en; do $(BIN)/pybabel -q update -i target/messages.pot -d edge/locale -l $$language \
	  --no-fuzzy-matching --ignore-obsolete --omit-header --ignore-pot-creation-date -w 100; done

clean: ## remove what setup and the builds made
	rm -rf .venv .tools target dist hashgen/*.so
