# Everything is done from here: `make help`.
# What is needed: git, make and Python 3.11 or newer. The rest is installed below this folder.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
RELEASED := .venv-released
JUPYTERHUB := .venv-jupyterhub
HUB_PROXY := .tools/hub-proxy
UV := $(shell command -v uv || echo .tools/bin/uv)
BIN := $(VENV)/bin
MEMBERS := $(wildcard libs/*) $(wildcard services/*)
CODE := $(MEMBERS) tests benchmarks examples docs
OTHER_PYTHONS := 3.12 3.13 3.14
# Tests side by side. Most of them wait for something most of the time.
TESTERS ?= 4

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help setup setup-system setup-tests demo check test test-versions test-isolated bench docs pins clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.ready  ## Install everything into .venv, from the pins

demo: setup  ## Start a gateway on this machine and compute on a cluster (KEEP=1 leaves it up, PORT=8000)
	$(BIN)/dask-gateway-local run --port $(PORT) $(if $(KEEP),--keep) -- $(BIN)/python examples/count_tokens.py

check: setup  ## Formatting, lint, types, import rules, generated files
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(wildcard libs/*/src/*) $(wildcard services/*/src/*)
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check

test: setup-tests  ## The whole test suite, then the unit tests on every other Python here
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal $(ARGS)
	$(MAKE) --no-print-directory test-versions

test-versions: setup
	tests/other_pythons.sh $(UV) $(OTHER_PYTHONS) -- $(MEMBERS)

test-isolated: setup  ## Install each member alone and import all of it: does it declare what it needs?
	$(BIN)/python tests/isolated.py --uv $(UV) $(MEMBERS)

bench: setup-tests  ## Measure, and print a table and JSON
	$(BIN)/python -m benchmarks $(ARGS)

docs: setup  ## Write the generated files anew
	$(BIN)/python docs/build.py

setup-system:  ## Install the system packages that the tests need: a KDC, Node.js, Chromium
	@tests/system_packages.sh $(PYTHON)

setup-tests: setup $(VENV)/.kerberos $(RELEASED)/.ready $(JUPYTERHUB)/.ready $(HUB_PROXY)/.ready  ## Install all that tests need

pins: .tools-or-uv  ## Resolve the dependencies anew and write requirements/
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade --group dev \
		$(addprefix --no-emit-package ,$(shell sed -n 's/^name = "\(.*\)"/\1/p' $(addsuffix /pyproject.toml,$(MEMBERS)))) \
		--custom-compile-command "make pins" pyproject.toml -o requirements/dev.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
		--custom-compile-command "make pins" requirements/released.in -o requirements/released.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
		--custom-compile-command "make pins" requirements/jupyterhub.in -o requirements/jupyterhub.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade -c requirements/dev.txt \
		--custom-compile-command "make pins" requirements/kerberos.in -o requirements/kerberos.txt
	npm install --prefix requirements/hub-proxy --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean:  ## Remove everything that was installed or built here
	rm -rf $(VENV) .venv-* .tools .local dist

.PHONY: .tools-or-uv
.tools-or-uv:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -qy python3-venv; \
		else echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)"; exit 1; fi; }
	@command -v $(UV) >/dev/null || { $(PYTHON) -m venv .tools && .tools/bin/python -m pip install -q uv; }

$(VENV)/.ready: requirements/dev.txt $(addsuffix /pyproject.toml,$(MEMBERS)) | .tools-or-uv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(UV) venv -q --clear -p $(PYTHON) $(VENV)
	$(UV) pip sync -q -p $(VENV) requirements/dev.txt
	$(UV) pip install -q -p $(VENV) --no-deps $(addprefix -e ,$(MEMBERS))
	@touch $@

$(RELEASED)/.ready: requirements/released.txt | .tools-or-uv setup-system
	$(UV) venv -q --clear -p $(PYTHON) $(RELEASED)
	$(UV) pip sync -q -p $(RELEASED) requirements/released.txt
	@touch $@

# Built from source, with the system's Kerberos: so it is for tests only, and `make demo` needs no compiler.
$(VENV)/.kerberos: requirements/kerberos.txt $(VENV)/.ready | setup-system
	$(UV) pip install -q -p $(VENV) -r requirements/kerberos.txt
	@touch $@

$(JUPYTERHUB)/.ready: requirements/jupyterhub.txt | .tools-or-uv setup-system
	$(UV) venv -q --clear -p $(PYTHON) $(JUPYTERHUB)
	$(UV) pip sync -q -p $(JUPYTERHUB) requirements/jupyterhub.txt
	@touch $@

$(HUB_PROXY)/.ready: requirements/hub-proxy/package-lock.json | setup-system
	@rm -rf $(HUB_PROXY) && mkdir -p $(HUB_PROXY) && cp requirements/hub-proxy/package*.json $(HUB_PROXY)
	npm ci --prefix $(HUB_PROXY) --no-audit --no-fund --loglevel=error
	@touch $@
