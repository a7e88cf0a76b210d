# Verbs. PYTHON chooses the interpreter that the virtual environment is made with.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: install test check format bench

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

install: $(BIN)/python        ## the base install and the example
	$(BIN)/python -m pip install --quiet .
	$(BIN)/afmsr demo

test: $(BIN)/python           ## everything that the tests need, then the tests
	$(BIN)/python -m pip install --quiet --editable '.[all,iqa,dev]'
	$(BIN)/python -m pytest

check:                        ## lint and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format:
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench:                        ## start-up, speed and memory against peers; PART=forward for one
	$(BIN)/python -m benchmarks $(PART)
