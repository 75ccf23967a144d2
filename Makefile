# make demo [PORTRAIT=me.jpg]   sets up .venv and writes demo/: avatar, sheet, orbit video, talking-controls video
# make test                     sets up what the tests need and runs them: test-engine, test-addon and test-blender in turn
# make test-engine              contract, engine and client, without any Blender
# make test-addon               the add-on under the bpy wheels in .venv-bpy (make bpy)
# make test-blender             the extension in the real Blenders of this machine; says what it skipped
# make extension                builds dist/likeness-VERSION.zip, with BLENDER=/path/to/blender or the bpy wheel's tool
# make blenders                 makes Blenders to test with in a root of their own (Debian, as root; SUITE=sid for newer)
# make setup [CUDA=1]           sets up .venv alone; CUDA=1 takes the CUDA build of torch, and gsplat
# make bench [BENCH=...]        measures everything into build/bench: one table, and pictures side by side; BENCH takes
#                               --portraits, --multiview, --clips FOLDER of your own and more (see tests/bench/bench_heads.py)
# make gallery                  makes the pictures of docs/gallery and docs/images again
# make lint | head              check the style; rebuild Open Head from the MakeHuman data
#
# PYTHON=...       the Python 3.11 to build .venv with
# TORCH_INDEX=...  a package index to take torch from, in place of what is found by itself

PYTHON ?= python3.11
PORTRAIT ?=
BENCH ?=
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

BPY_VERSIONS := 4.2 4.5 5.0

.PHONY: demo test test-engine test-addon test-blender extension bpy blenders bench gallery lint head setup setup-test clean

demo: setup
	$(BIN)/python -m likeness.cli.demo $(if $(PORTRAIT),"$(PORTRAIT)") -o demo

test: test-engine test-addon test-blender

test-engine: setup-test
	$(BIN)/python -m pytest

test-addon: bpy
	@for version in $(BPY_VERSIONS); do echo "== bpy $$version"; \
		.venv-bpy/$$version/bin/python -m pytest --confcutdir tests/addon tests/addon || exit 1; done

test-blender: setup-test extension
	$(BIN)/python -m pytest --confcutdir tests/blender -rs tests/blender

# Without a Blender it is built with the tool in the bpy wheel of the first of these versions.
HAS_BLENDER = $(BLENDER)$(LIKENESS_BLENDER)$(shell command -v blender)

extension: $(VENV)/.ready-build $(if $(HAS_BLENDER),,.venv-bpy/$(firstword $(BPY_VERSIONS))/.ready)
	BLENDER="$(BLENDER)" $(BIN)/python tests/blender/build_extension.py

bpy: $(BPY_VERSIONS:%=.venv-bpy/%/.ready)

.venv-bpy/%/.ready: requirements-bpy-%.lock
	@echo "Installing bpy $* into .venv-bpy/$* (about 350 MB to fetch)"
	$(PYTHON) -m venv .venv-bpy/$*
	.venv-bpy/$*/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@echo "$(CURDIR)/engine" > "$$(echo .venv-bpy/$*/lib/python*/site-packages)/likeness-engine.pth"
	@touch $@

blenders:
	tests/blender/sandbox make

bench: setup-test
	$(BIN)/python tests/bench/bench_heads.py $(BENCH)

gallery: setup-test
	$(BIN)/python tests/bench/gallery.py

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

$(VENV)/.ready-build: $(VENV)/.python requirements.lock
	$(INSTALL) "$$(grep '^setuptools==' requirements.lock)"
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
