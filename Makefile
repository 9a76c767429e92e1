# Everything is done from here: `make help`.
# What is needed: git, make and Python 3.11 or newer. The rest is installed below this folder.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
RELEASED := .venv-released
JUPYTERHUB := .venv-jupyterhub
HUB_PROXY := .tools/hub-proxy
RELEASE := .venv-release
IMAGE_ENVIRONMENTS := .venv-image-server .venv-image-dask
# Those that the tests of the chart run with besides those of requirements/dev.txt and requirements/released.txt.
TRAEFIKS := 3.5
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REGISTRY ?= ghcr.io/dask
UV := $(shell command -v uv || echo .tools/bin/uv)
BIN := $(VENV)/bin
MEMBERS := $(wildcard libs/*) $(wildcard services/*)
CODE := $(MEMBERS) tests benchmarks examples docs images release
OTHER_PYTHONS := 3.12 3.13 3.14
# Tests side by side. Most of them wait for something most of the time.
TESTERS ?= 4

# An image holds the versions that the tests run with.
PIN_IMAGE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes \
	-c requirements/dev.txt -c requirements/kerberos.txt \
	--no-emit-package dask-gateway-common --custom-compile-command "make pins"

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help setup setup-system setup-tests demo check test test-versions test-isolated \
	bench images dist sbom docs pins clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.ready  ## Install everything into .venv, from the pins

demo: setup  ## Start a gateway on this machine and compute on a cluster (KEEP=1 leaves it up, PORT=8000)
	$(BIN)/dask-gateway-local run --port $(PORT) $(if $(KEEP),--keep) -- $(BIN)/python examples/count_tokens.py

check: setup  ## Formatting, lint, types, import rules, generated files
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(wildcard libs/*/src/*) $(wildcard services/*/src/*) release
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

images:  ## Build the container images with docker, podman or buildah (IMAGES="api dask", ENGINE=, REGISTRY=, ARGS=)
	images/build.sh $(REGISTRY) $(VERSION) $(ARGS)

dist: $(RELEASE)/.ready  ## Build wheels, source packages, the chart and bills of materials into dist/
	$(RELEASE)/bin/python -m release dist

sbom: $(RELEASE)/.ready  ## Write what each image holds into dist/, as CycloneDX
	$(RELEASE)/bin/python -m release sbom

docs: setup  ## Write the generated files anew
	$(BIN)/python docs/build.py

setup-system:  ## Install the system packages that the tests need: a KDC, Node.js, Chromium
	@tests/system_packages.sh $(PYTHON)

setup-tests: setup $(VENV)/.kerberos $(RELEASED)/.ready $(JUPYTERHUB)/.ready $(HUB_PROXY)/.ready \
	$(RELEASE)/.ready $(patsubst %,.venv-traefik-%/.ready,$(TRAEFIKS)) \
	$(addsuffix /.ready,$(IMAGE_ENVIRONMENTS))  ## Install all that tests need

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
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
		--custom-compile-command "make pins" requirements/release.in -o requirements/release.txt
	for version in $(TRAEFIKS); do \
		$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
			--custom-compile-command "make pins" requirements/traefik/$$version.in -o requirements/traefik/$$version.txt \
			|| exit 1; \
	done
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
		--custom-compile-command "make pins" requirements/images/build.in -o requirements/images/build.txt
	$(PIN_IMAGE) services/api/pyproject.toml -o requirements/images/api.txt
	$(PIN_IMAGE) --extra kerberos services/auth/pyproject.toml -o requirements/images/auth.txt
	$(PIN_IMAGE) services/controller/pyproject.toml -o requirements/images/controller.txt
	$(PIN_IMAGE) --extra kerberos $(wildcard services/*/pyproject.toml) requirements/images/server.in \
		-o requirements/images/server.txt
	$(PIN_IMAGE) libs/client/pyproject.toml requirements/images/dask.in -o requirements/images/dask.txt
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

$(RELEASE)/.ready: requirements/release.txt | .tools-or-uv
	$(UV) venv -q --clear -p $(PYTHON) $(RELEASE)
	$(UV) pip sync -q -p $(RELEASE) requirements/release.txt
	@touch $@

.venv-traefik-%/.ready: requirements/traefik/%.txt | .tools-or-uv
	$(UV) venv -q --clear -p $(PYTHON) $(@D)
	$(UV) pip sync -q -p $(@D) $<
	@touch $@

# What images hold, made as they make it.
.venv-image-server/.ready: images/install.sh requirements/images/server.txt $(addsuffix /pyproject.toml,$(MEMBERS)) \
	| setup-system
	rm -rf $(@D)
	PYTHON=$(PYTHON) images/install.sh server $(CURDIR)/$(@D) libs/common $(wildcard services/*)
	@touch $@

.venv-image-dask/.ready: images/install.sh requirements/images/dask.txt libs/client/pyproject.toml | setup-system
	rm -rf $(@D)
	PYTHON=$(PYTHON) images/install.sh dask $(CURDIR)/$(@D) libs/client
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
