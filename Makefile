# Everything happens in .venv; PYTHON is the interpreter that makes it.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install demo test lint format clean

help:  ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

install: .venv/installed  ## make .venv with the pinned packages and this one in it

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	# EcgLib is a reference in tests; what it asks for (torchvision) does not go with a CPU build of torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps ecglib
	touch $@

demo: install  ## pretraining on a large simulated archive, shown on a small hospital: minutes, no data needed
	@echo "This takes about 5 minutes on two CPU cores. Stopped, it goes on with the same command."
	$(BIN)/python -m ecg_lightning transfer --study experiments/demo/study.yaml
	@cat experiments/demo/next.txt

test: install lint  ## lint, types and tests
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv and caches; runs, checkpoints and stores stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
