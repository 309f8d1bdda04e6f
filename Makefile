# `make demo` and `make test` are all the set-up there is: Python 3.11 or newer and make, nothing else.

PYTHON  ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python,\
             $(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$(p))))
VENV    := .venv
BIN     := $(VENV)/bin
ORACLES := .venv-oracles
WORKERS ?= 2
TESTS   ?=
SECONDS ?= 60
TARGETS ?=
PIP     := -m pip install -qq --disable-pip-version-check --root-user-action=ignore -c constraints.txt
INSTALL := $(BIN)/python $(PIP)

export PIP_NO_INPUT := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-oracles lint types layers docs docs-write bench fuzz check clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 18

# One environment. The stamps say which set of packages it holds; a change of the two files brings it up to date.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "fewbits needs Python 3.11 or newer and found none; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fewbits needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) -V)" >&2
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing fewbits into $(VENV) (once)" >&2
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing fewbits and the test tools into $(VENV) (once)" >&2
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.core $@

$(VENV)/.fuzz: $(VENV)/.dev
	@echo "installing the fuzzer into $(VENV) (once)" >&2
	@$(INSTALL) -e '.[dev,fuzz]'
	@touch $@

demo: $(VENV)/.core  ## measure number formats on the bundled sample of real weights and write a report
	@$(BIN)/fewbits scan sample

test: $(VENV)/.dev  ## the whole suite (TESTS="tests/test_spec.py -k caret" for a part, WORKERS=8 for more processes)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

# Other people's packages have an environment of their own: everything else has to work without them.
$(ORACLES)/.done: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing torch and the packages that fewbits is compared with into $(ORACLES) (once)" >&2
	@$(BIN)/python -m venv --clear $(ORACLES)
	@$(ORACLES)/bin/python $(PIP) -e '.[dev,oracles]'
	@touch $@

test-oracles: $(ORACLES)/.done  ## the tests that compare with other people's packages: torch, bitsandbytes, torchao … (2 GB)
	@FEWBITS_BROWSER= FEWBITS_ORACLES=required $(ORACLES)/bin/python -m pytest -n $(WORKERS) --dist loadfile tests/test_packed_packages.py tests/test_conformance.py tests/test_bench.py

lint: $(VENV)/.dev  ## ruff: rules and layout
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev  ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.dev  ## import direction between modules
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.dev  ## are the generated pages, the README's output and the tutorial's notebook current?
	$(BIN)/python tools/docs.py --check
	$(BIN)/python tools/readme.py --check
	$(BIN)/python tools/notebook.py --check

docs-write: $(VENV)/.dev  ## write the generated pages and the README's output again
	$(BIN)/python tools/docs.py
	$(BIN)/python tools/readme.py
	$(BIN)/python tools/notebook.py

bench: $(VENV)/.core  ## the performance contract, measured on this machine and added to bench/history.jsonl
	@$(BIN)/fewbits bench --history bench/history.jsonl

fuzz: $(VENV)/.fuzz  ## damaged files for every reader, SECONDS=60 each (TARGETS="npy onnx" for some); see tests/fuzz/README.md
	@PYTHONPATH=tests $(BIN)/python -m fuzz.run $(TARGETS) --seconds $(SECONDS)

check: lint types layers docs  ## everything CI checks besides the tests

clean:  ## remove the environment, caches and build output
	rm -rf $(VENV) $(ORACLES) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
