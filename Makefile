# Verbs. PYTHON chooses the interpreter that the virtual environment is made with.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# What `make bench` is compared with, in an environment apart: the builds exclude ours.
PEERS ?= .venv-peers

.PHONY: install test check format bench peers

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

peers:                        ## once, for bench: OpenCV's contrib build and OpenVINO
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet 'opencv-contrib-python-headless>=4.14,<6' openvino onnxruntime

bench:                        ## the report of docs/performance.md; PART=forward shows one part
	AFMSR_PEERS=$(PEERS) $(BIN)/python -m benchmarks $(PART)
