# Each target makes its environment on first use and installs again only when setup.cfg changed.
EXTRAS ?= dev
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
comma := ,
IS_NEW := import sys; sys.exit(sys.version_info < (3, 11))
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: quickstart test compare smoke lowest lint bench pages faults gpu-report

quickstart: $(STAMP)
	$(BIN)/python -m experiments.quickstart

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The test files that compare with PyTorch, which `make test` skips where it is not installed.
compare: EXTRAS := dev,torch
compare: $(VENV)/.installed-dev-torch
	$(BIN)/python -m pytest -n 2 --dist loadfile $$(grep -rl --include='test_*.py' 'importorskip("torch"' tests)

smoke: $(STAMP)
	$(BIN)/python -m tests.smoke

# The lowest versions that setup.cfg admits, and the tests that lean most on other packages.
lowest:
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(PYTHON) -m tests.lowest_versions > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --constraint $(LOWEST)/constraints.txt --editable ".[dev]"
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadfile tests/data tests/interop tests/training/test_checkpoint.py \
		tests/training/test_log.py tests/training/test_optimizer.py tests/training/test_placement.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run_all

pages: $(STAMP)
	$(BIN)/python -m experiments.draw_pages --out=docs/img

faults: $(STAMP)
	$(BIN)/python -m tests.plant_faults

# On a machine that has JAX for its GPU and torch already: nothing is installed.
gpu-report:
	$(PYTHON) -m benchmarks.gpu_report --out=results/gpu-report.json

$(VENV)/.installed-%: setup.cfg pyproject.toml
	@if test -x $(BIN)/python; then \
		$(BIN)/python -c "$(IS_NEW)" || { echo "$(VENV) was made with a Python before 3.11; delete it and try again"; exit 1; }; \
	else \
		$(PYTHON) -c "$(IS_NEW)" || { echo "$(PYTHON) is no Python 3.11 or later; name one: PYTHON=python3.12"; exit 1; }; \
	fi
	@echo "installing cgdmer_jax[$(EXTRAS)] into $(VENV): 1.4 GB, some minutes without a word"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $@
