# Every target sets up what it needs in .venv, once per change of pyproject.toml.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
# What the formats of the demo's session need beyond the base.
DEMO_EXTRAS := video,pose,tables

.PHONY: help demo test lint format bench reliability clean

help:
	@echo 'make demo    a session of probe, sorting, camera, pose and trials to one NWB file'
	@echo 'make test    run the tests'
	@echo 'make lint    ruff and mypy'
	@echo 'make format  let ruff mend what it can'
	@echo 'make bench   the benchmarks, 25 minutes; writes docs/performance.md (BENCH_ARGS)'
	@echo 'make reliability  kills, full disks, races and flipped bits, at length'
	@echo 'make clean   remove .venv, caches and the demo'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Bytecode is compiled on purpose: without it `import pynwb` takes up to 4.5 s instead of 1.2.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile -e '.[$(DEMO_EXTRAS)]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile -e '.[dev,$(DEMO_EXTRAS)]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(BIN)/python -m compileall -q nwbkit
	@$(BIN)/python -m nwbkit.nwb.library
	@PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

reliability: $(VENV)/.installed-dev
	$(BIN)/python -m tests.campaign --write

clean:
	rm -rf $(VENV) build dist demo bench-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
