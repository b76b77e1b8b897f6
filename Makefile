# `make up` runs the whole product, `make test` tests it, `make check` checks all that CI checks.
# Each set-up step leaves a stamp named after what it was made from, so that a second run is instant.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(if $(shell command -v $(name) 2>/dev/null),$(name))))
PIP := $(PY) -m pip --disable-pip-version-check -q

hash = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-16)
RUNTIME := $(VENV)/.runtime-$(call hash,requirements.lock pyproject.toml)
DEVELOPMENT := $(VENV)/.development-$(call hash,requirements-dev.lock pyproject.toml)
SOAK := $(VENV)/.soak-$(call hash,requirements-soak.lock)

.PHONY: help up test check bench soak assets ceph peers lock pictures clean
.DELETE_ON_ERROR:

help:
	@echo "make up      run Parvis (PARVIS_PORT moves it from 8080); Ctrl C stops it"
	@echo "             CEPH=1 makes a new installation with a real Ceph for its files"
	@echo "make test    set up what the tests need, and run them"
	@echo "make check   lint, types, import contracts, templates and translations"
	@echo "make bench   measure how fast an organisation is made"
	@echo "make soak    the long runs (FUZZ_MINUTES=10: how long the fuzzer looks at SAML)"
	@echo "make lock    lock the dependencies anew (needs uv)"
	@echo "make clean   remove what was set up here; data in var/ stays"

$(PY):
	@if [ -z "$(PYTHON)" ]; then \
	  echo "make: no python3 was found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); Parvis needs Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing python3-venv, which Debian and Ubuntu keep apart from Python …"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	  fi; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) cannot make virtual environments. The cure on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the virtual environment …"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): | $(PY)
	@echo "Installing the locked dependencies …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.runtime-* && touch $@

$(DEVELOPMENT): $(RUNTIME)
	@echo "Installing what the tests need …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@rm -f $(VENV)/.development-* && touch $@

assets: $(RUNTIME)
	@$(PY) -m kit.interface.assets

# CEPH=1: a new installation keeps its files in a real Ceph.
up: $(RUNTIME) assets $(if $(filter 1 yes,$(CEPH)),ceph)
	@PARVIS_CEPH=$(or $(CEPH),$(PARVIS_CEPH)) exec $(VENV)/bin/parvis up

# A real object store. Without it, what needs it is not tested, and the tests say so.
CEPH_PACKAGES := ceph-mon ceph-osd radosgw
ceph:
	@export PATH="$$PATH:/usr/sbin:/sbin"; \
	have() { for program in $(CEPH_PACKAGES); do command -v $$program >/dev/null || return 1; done; }; \
	if ! have && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Ceph …"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CEPH_PACKAGES) >/dev/null; \
	fi; \
	have || echo "make: Ceph is not installed. The cure on Debian and Ubuntu: apt-get install --no-install-recommends $(CEPH_PACKAGES)" >&2

# Real identity providers: SimpleSAMLphp from the distribution, two from npm.
SAML_PACKAGES := simplesamlphp php-cli php-xml php-mbstring php-curl php-sqlite3 xmlsec1
peers: $(DEVELOPMENT)
	@have() { command -v php >/dev/null && command -v xmlsec1 >/dev/null && [ -d /usr/share/simplesamlphp/www ]; }; \
	if ! have && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing SimpleSAMLphp …"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SAML_PACKAGES) >/dev/null; \
	fi; \
	have || echo "make: SimpleSAMLphp is not installed. The cure on Debian and Ubuntu: apt-get install --no-install-recommends $(SAML_PACKAGES)" >&2
	@$(PY) -m tests.peers

# Each worker has servers and a product of its own; WORKERS=0 runs all in one process, for a debugger.
WORKERS ?= 2
test: $(DEVELOPMENT) assets ceph peers
	@$(PY) -m pytest -m "not soak" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEVELOPMENT) assets
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PY) -m kit.interface.check

bench: $(DEVELOPMENT) assets peers
	@$(PY) -m tests.bench $(ARGS)

# The fuzzer comes as a wheel for some platforms only. Elsewhere the other long runs run, and the summary says what did not.
$(SOAK): $(DEVELOPMENT)
	@echo "Installing the fuzzer …"
	@if $(PIP) install --require-hashes --only-binary :all: -r requirements-soak.lock; then \
	  rm -f $(VENV)/.soak-* && touch $@; \
	else \
	  echo "make: NOT TESTED: the fuzzer of SAML (atheris) could not be installed for $$($(PY) -V) on $$(uname -sm). It has" \
	    "wheels for Linux on x86_64 with CPython 3.11 to 3.13 only. The other long runs go on." >&2; \
	fi

soak: $(SOAK) assets ceph peers
	@$(PY) -m pytest -m soak -rs --timeout 3600 $(ARGS)

pictures: $(DEVELOPMENT) assets
	@$(PY) scripts/pictures.py

# Lock files carry hashes and no download addresses.
UV ?= uv
LOCK := $(UV) pip compile -q pyproject.toml --extra embedded --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev -o requirements-dev.lock
	$(UV) pip compile -q --group bench --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 -o requirements-bench.lock
	$(UV) pip compile -q --group soak --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 -o requirements-soak.lock

clean:
	rm -rf $(VENV) .venv-bench *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf kit/interface/node_modules kit/interface/build
