# Each target makes .venv on first use and installs again only when setup.cfg changed.
EXTRAS ?= dev
PYTHON ?= python3
BIN := .venv/bin
comma := ,
STAMP := .venv/.installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: quickstart test lint bench pages faults gpu-report

quickstart: $(STAMP)
	$(BIN)/python -m experiments.quickstart

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

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

$(STAMP): setup.cfg pyproject.toml
	@echo "installing cgdmer_jax[$(EXTRAS)] into .venv"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	touch $@
