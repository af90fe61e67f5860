# Each target makes .venv and installs what it needs: once, and again when that has changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp  ## train a small denoiser and keep what it sounds like (ARGS="--data DIR")
	$(BIN)/python examples/train_denoiser.py $(ARGS)
	@echo "Here, the command is $(BIN)/earmark."

test: $(VENV)/dev.stamp  ## run the tests (ARGS="tests/core -k flac")
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/dev.stamp  ## lint, formatting, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/bench/stamp  ## earmark and its peers side by side, about 10 minutes (ARGS=--million)
	$(VENV)/bench/bin/python -m benchmarks $(ARGS)

clean:  ## remove .venv, caches and built packages; runs stay
	rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv --clear $(VENV)

# The stem of the stamp is the extra it stands for; version.py is part of the metadata.
$(VENV)/demo.stamp $(VENV)/dev.stamp: $(VENV)/%.stamp: pyproject.toml core/earmark/version.py \
    $(VENV)/pyvenv.cfg
	@echo "Installing earmark[$*] into $(VENV); the first time this takes minutes."
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

# The peers on top of what dev has: they cannot move its versions, and PyTorch is there once.
$(VENV)/bench/stamp: benchmarks/requirements.txt benchmarks/install.py $(VENV)/dev.stamp
	@echo "Installing the peers into $(VENV)/bench; the first time this takes minutes."
	$(BIN)/python benchmarks/install.py $(VENV)/bench
	@touch $@
