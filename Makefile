# Two commands, from a bare clone on a machine with Python 3.11 or newer:
#   make demo    set up, then learn handwritten digits in integers, float and gates
#   make test    set up, then all checks and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-long
.DELETE_ON_ERROR:

# Icarus Verilog is no Python package.
ICARUS := command -v iverilog >/dev/null || { \
  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -qq -y iverilog; }

# Nor is the browser that reports are opened in.
CHROMIUM := command -v chromedriver >/dev/null || { \
  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
  apt-get update -qq && apt-get install -qq -y chromium chromium-driver; }

demo: $(VENV)/demo.done
	@# Without Icarus the demo runs its gates in Verilator, or says what to install.
	@$(ICARUS) || true
	$(BIN)/bitlif demo

test: $(VENV)/test.done
	@$(ICARUS) || { echo "Icarus Verilog is missing: sudo apt-get install iverilog"; exit 1; }
	@$(CHROMIUM) || { echo "Chromium is missing: sudo apt-get install chromium chromium-driver"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Type checkers do not see an editable install's folder map: check an installed copy.
	rm -rf build/typed
	$(INSTALL) --no-build-isolation --no-deps --target build/typed .
	MYPYPATH=build/typed $(BIN)/mypy -p bitlif
	$(BIN)/python -m pytest

# The nightly run: everything above, then more configurations and longer runs of the gates.
test-long: test
	$(BIN)/python -m pytest -m long

$(VENV)/demo.done: $(VENV)/pip.done
	$(INSTALL) --no-build-isolation --editable '.[demo,gates]'
	@touch $@

$(VENV)/test.done: $(VENV)/pip.done
	$(INSTALL) --no-build-isolation --editable '.[demo,gates,fpga,serial,boards,study,dev]'
	@touch $@

$(VENV)/pip.done: $(SETUP)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "bitlif needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3"; exit 1; }
	@# Debian keeps the module that makes environments in a package of its own.
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -qq -y python3-venv; \
	  else echo "python3-venv is missing: sudo apt-get install python3-venv"; exit 1; fi; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) setuptools
	@touch $@
