# make demo [PORTRAIT=me.jpg]   sets up .venv and writes demo/: avatar, sheet, orbit video, talking-controls video
# make test                     sets up .venv and runs the tests
# make setup [CUDA=1]           sets up .venv alone; CUDA=1 takes the CUDA build of torch, and gsplat
# make bench | lint | head      measure; check the style; rebuild Open Head from the MakeHuman data
#
# PYTHON=...       the Python 3.11 to build .venv with
# TORCH_INDEX=...  a package index to take torch from, in place of what is found by itself

PYTHON ?= python3.11
PORTRAIT ?=
CUDA ?=
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --no-deps
UV_VERSION := 0.13.8
TORCH := $(shell sed -n 's/^torch==/torch==/p' requirements.lock)

# On Linux the default torch is a CUDA build of several gigabytes; elsewhere there is only one.
ifeq ($(CUDA),)
ifeq ($(shell uname -s),Linux)
TORCH_BUILD := cpu
endif
endif

.PHONY: demo test bench lint head setup setup-test clean

demo: setup
	$(BIN)/python -m likeness.cli.demo $(if $(PORTRAIT),"$(PORTRAIT)") -o demo

test: setup-test
	$(BIN)/python -m pytest

bench: setup-test
	@for script in tests/bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lint: setup-test
	$(BIN)/ruff check .

head: setup-test
	$(BIN)/python engine/open_head/build.py

setup: $(VENV)/.ready

setup-test: $(VENV)/.ready-test

clean:
	rm -rf $(VENV) demo build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready: $(VENV)/.python requirements.lock pyproject.toml
	@echo "Installing what is needed into $(VENV) (a few minutes the first time)"
	@grep -v '^torch==' requirements.lock > $(VENV)/requirements.txt
	$(INSTALL) -r $(VENV)/requirements.txt
	$(install_torch)
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready requirements-test.lock
	$(INSTALL) -r requirements-test.lock
	@touch $@

# The configured index may offer the CPU build under its own name; if not, uv knows where PyTorch keeps it.
define install_cpu_torch
$(INSTALL) "$(TORCH)+cpu" 2>/dev/null || \
	{ $(INSTALL) "uv==$(UV_VERSION)" && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --torch-backend cpu "$(TORCH)"; }
endef

ifneq ($(TORCH_INDEX),)
install_torch = $(PIP) install --quiet --index-url "$(TORCH_INDEX)" "$(TORCH)"
else ifeq ($(TORCH_BUILD),cpu)
install_torch = $(install_cpu_torch)
else
install_torch = $(PIP) install --quiet "$(TORCH)" $(if $(CUDA),"gsplat>=1.5")
endif
