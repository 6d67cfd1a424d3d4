# From a bare clone, on a machine with Python 3.11 or newer:
#   make demo       set up, then learn handwritten digits in integers, float and gates
#   make check      set up, then lint, types, and the quick tests that need no simulator
#   make test       set up, then lint, types and all tests
#   make test-long  the same, then the tests that take hours
#   make docs       set up, then build the site into build/site
#   make tutorials  set up, then execute the tutorials and store their outputs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo check lint test test-long docs tutorials
.DELETE_ON_ERROR:

# Icarus Verilog is not a Python package.
ICARUS := command -v iverilog >/dev/null || { \
  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -qq -y iverilog; }

# Neither is the browser that the tests open reports in.
CHROMIUM := command -v chromedriver >/dev/null || { \
  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -qq -y chromium chromium-driver; }

demo: $(VENV)/demo.done
	@# Without Icarus, the demo simulates its gates with Verilator, or says what to install.
	@$(ICARUS) || true
	$(BIN)/bitlif demo

check: lint
	$(BIN)/python -m pytest -m "not long and not gates and not slow"

lint: $(VENV)/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Type checkers do not understand the folder map of an editable install: check a copy. Setuptools
	@# would copy modules that have moved since from build/lib.
	rm -rf build/typed build/lib
	$(INSTALL) --no-build-isolation --no-deps --target build/typed .
	MYPYPATH=build/typed $(BIN)/mypy -p bitlif

test: lint
	@$(ICARUS) || { echo "Icarus Verilog is missing: sudo apt-get install iverilog"; exit 1; }
	@$(CHROMIUM) || { echo "Chromium is missing: sudo apt-get install chromium chromium-driver"; exit 1; }
	$(BIN)/python -m pytest

# All tests, then more configurations and longer runs of the gates.
test-long: test
	$(BIN)/python -m pytest -m long

docs: $(VENV)/test.done
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# After a change of a script in docs/tutorials; the notebooks are committed.
tutorials: $(VENV)/test.done
	$(BIN)/python docs/site/notebooks.py

$(VENV)/demo.done: $(VENV)/pip.done
	@# Python compiles the modules that are imported: a few of those that are installed.
	$(INSTALL) --no-compile --no-build-isolation --editable '.[demo,gates]'
	@touch $@

$(VENV)/test.done: $(VENV)/pip.done
	@# Norse has no wheel, and without isolation pip does not fetch what builds it.
	$(INSTALL) setuptools-scm
	$(INSTALL) --no-build-isolation --editable '.[demo,gates,fpga,serial,boards,study,torch,nir,prove,docs,dev]'
	@touch $@

$(VENV)/pip.done: $(SETUP)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "bitlif needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3"; exit 1; }
	@# Debian has the module that creates environments in a separate package.
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -qq -y python3-venv; \
	  else echo "python3-venv is missing: sudo apt-get install python3-venv"; exit 1; fi; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) setuptools
	@touch $@
