# Every target sets up what it needs in .venv; only Python 3.11+, a C compiler and make must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXT := setup.py pyproject.toml $(wildcard ext/rgs_core/*.* ext/rgs_core/lanes/*)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help setup run check test simulate crash monitor bench bench-tiny debian-tools dossier openapi sanitize golden clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "rgs-core needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "no virtual environment: install your system's venv package (Debian: python3-venv)"; exit 2; }

# Two stamps: running needs far fewer packages than testing.
$(VENV)/.ready: $(EXT) | $(BIN)/python
	@echo "setting up $(VENV) (once, or after a change of the extension)"
	@$(PIP) -e '.[server,embedded]'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "adding the tools for tests and benches"
	@$(PIP) -e '.[server,embedded,report,cluster,exchange,telemetry,dev]'
	@touch $@

setup: $(VENV)/.ready-dev  ## make .venv with everything

run: $(VENV)/.ready  ## sandbox service on an embedded PostgreSQL; plays and replays one spin, serves until Ctrl-C
	@exec $(BIN)/rgs-server sandbox

check: $(VENV)/.ready-dev  ## formatting, lint, types, stubs
	$(BIN)/ruff check src server tests bench setup.py
	$(BIN)/ruff format --check src server tests bench setup.py
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rgs_core._rng rgs_core._round rgs_core._engine
	PATH=$(BIN):$$PATH cython-lint ext/rgs_core
	$(BIN)/rgs-server openapi --against docs/openapi.json
	$(BIN)/rgs-server asyncapi --against docs/asyncapi.json

# One process more than there are cores, as many tests wait for others; in the order of the files, since few long tests at
# the end would run alone.
TESTERS = $(shell $(BIN)/python -c 'import os; print(min(4, 1 + len(os.sched_getaffinity(0))))')

test: $(VENV)/.ready-dev  ## the whole suite: real PostgreSQL, real HTTP, killed processes
	$(BIN)/python -m pytest -q -rs -n $(TESTERS) --dist loadfile --no-loadscope-reorder --benchmark-disable

# A build of its own, so that the usual one stays as it is. Leaks are Python's to report, not ours here.
SANITIZED := build/sanitized
$(SANITIZED)/.ready: $(EXT) $(shell find src -name "*.py") | $(VENV)/.ready-dev
	@rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	@RGS_DEBUG=1 $(PIP) --no-deps --no-build-isolation --target $(SANITIZED) --no-compile .
	@touch $@

SANITIZED_RUN := PYTHONPATH=$(SANITIZED) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" $(BIN)/python

sanitize: $(SANITIZED)/.ready  ## the compiled core under the address and undefined-behaviour sanitizers
	@$(SANITIZED_RUN) -c 'import sys, rgs_core._engine as e; sys.exit("sanitized" not in e.__file__)'
	$(SANITIZED_RUN) -m pytest -q -o timeout=900 tests/unit/test_rng.py tests/golden tests/conformance/test_par_sheets.py \
		tests/property/test_engine_equals_reference.py tests/property/test_exact_analysis.py tests/property/test_memory_chain.py \
		tests/unit/test_policies.py tests/unit/test_jackpots.py tests/unit/test_doubles.py tests/unit/test_nudge.py \
		tests/unit/test_stratified.py tests/property/test_joint_pruned.py

simulate: $(VENV)/.ready-dev  ## random histories of the money path (SEEDS=100000, STEPS=9; one again: SEED=17)
	PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS))

crash: $(VENV)/.ready-dev  ## the crash tests for longer (CRASH_SECONDS=60), and faults at every message (two hours)
	CRASH_SECONDS=$(or $(CRASH_SECONDS),60) $(BIN)/python -m pytest -q -s tests/crash/test_kill.py tests/crash/test_killed_events.py
	CRASH_FULL=1 $(BIN)/python -m pytest -q -s -n 2 --dist worksteal tests/crash/test_faults.py tests/crash/test_order.py

monitor: $(VENV)/.ready-dev  ## acceptance of live math monitoring: 1,000 healthy fleet-years, coverage, faults (10 minutes)
	$(BIN)/python bench/live_math.py

bench: $(VENV)/.ready-dev  ## all benches at full size; bench/README.md explains them
	$(BIN)/python -m pytest -q bench/bench_rng.py bench/bench_engine.py --benchmark-columns=median,ops --benchmark-sort=name
	$(BIN)/python bench/bench_ratios.py
	$(BIN)/python bench/bench_mechanics.py
	$(BIN)/python bench/bench_laws.py
	$(BIN)/python bench/bench_contract.py
	$(BIN)/python bench/bench_server.py
	$(BIN)/python bench/bench_spins.py
	$(BIN)/python bench/bench_budget.py
	$(BIN)/python bench/bench_events.py
	$(BIN)/python bench/bench_latency.py
	$(BIN)/python bench/bench_reports.py

bench-tiny: $(VENV)/.ready-dev  ## every bench once, tiny, so that none rots
	$(BIN)/python -m pytest -q bench/bench_rng.py bench/bench_engine.py --benchmark-disable
	$(BIN)/python bench/bench_ratios.py --tiny
	$(BIN)/python bench/bench_mechanics.py --tiny
	$(BIN)/python bench/bench_laws.py --tiny
	$(BIN)/python bench/bench_contract.py --tiny
	$(BIN)/python bench/bench_server.py --tiny
	$(BIN)/python bench/bench_spins.py --tiny
	$(BIN)/python bench/bench_budget.py --tiny
	$(BIN)/python bench/bench_events.py --tiny
	$(BIN)/python bench/bench_latency.py --tiny
	$(BIN)/python bench/bench_reports.py --tiny
	$(BIN)/python bench/live_math.py --tiny
	$(BIN)/python bench/dossier.py --tiny --out build/rng-dossier-tiny.md

debian-tools:  ## optional (needs root): what tests of pages, of ARM, of alerts and of the generator use where it is installed
	apt-get update -qq && apt-get install -y -qq --no-install-recommends \
		chromium dieharder ent gcc-aarch64-linux-gnu libc6-dev-arm64-cross prometheus qemu-user >/dev/null

dossier: $(VENV)/.ready-dev  ## evidence about the generator: dieharder, ent, NIST and our battery -> build/rng-dossier.md
	$(BIN)/python bench/dossier.py --out build/rng-dossier.md

openapi: $(VENV)/.ready  ## rewrite docs/openapi.json; refuses to take away or narrow what it promised
	$(BIN)/rgs-server openapi --write docs/openapi.json
	$(BIN)/rgs-server asyncapi --write docs/asyncapi.json

golden: $(VENV)/.ready-dev  ## rewrite the golden outcomes of the shipped games; review the diff
	$(BIN)/python tests/golden/write_golden.py

clean:  ## remove what was built; keeps .rgs/ (the sandbox's database)
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info src/rgs_core/*.so .mypy_cache .ruff_cache .hypothesis
