# The newest of Python 3.11 and 3.12; PYTHON=... selects another.
PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $(name))))
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV_VERSION := 0.13.9
# A third worker of two cores runs while the others wait for processes of theirs.
PYTEST := $(BIN)/pytest -n 3 --dist worksteal -q

# Python 3.12 measures coverage at almost no cost (sys.monitoring).
TRACER = $(shell $(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")')

.PHONY: setup run pipeline test test-integration coverage test-slow test-pods cluster test-cluster lint bench lock wheel docs clean images version deploy verify rollback sbom

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "PokeWatch needs Python 3.11 or 3.12, and none was found. Give its path: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (once; about 1.3 GB)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "Installing $$(grep -c == requirements.lock) packages; this takes a minute or more"
	@$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes --requirements requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

pipeline: setup
	@$(BIN)/python flows/flow.py run $(PIPELINE)

run: pipeline
	@$(BIN)/pokewatch value --sample 5
	@$(BIN)/pokewatch serve

# On a busy machine mypy ends with 2 if its workers do not start within the 3 s that it gives them.
lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy || { test $$? -eq 2 && $(BIN)/mypy --num-workers 0; }
	$(BIN)/lint-imports

test: lint
	$(PYTEST) -m "not integration and not slow and not pods and not cluster"

test-integration: setup
	$(PYTEST) -m "integration and not slow and not pods and not cluster"

# Both with coverage of `pokewatch` in every process; fails below `fail_under` in pyproject.toml.
coverage: lint
	@rm -rf build/coverage && mkdir -p build/coverage
	COVERAGE_CORE=$(TRACER) $(BIN)/coverage run -m $(notdir $(PYTEST)) -m "not slow and not pods and not cluster"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-slow: setup
	$(BIN)/pytest -q -m slow

test-pods: setup
	$(BIN)/pytest -q -m pods

# The programs of a cluster, built once from their Go modules, outside the checkout: 50 minutes on 2 cores.
cluster: setup
	$(BIN)/python -m tests.cluster.programs

# On the cluster that POKEWATCH_TEST_KUBECONFIG names, else on one that the tests start.
test-cluster: $(if $(POKEWATCH_TEST_KUBECONFIG),setup,cluster)
	$(BIN)/pytest -q -m cluster

bench: setup
	$(BIN)/python -m tests.bench

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate --generate-hashes pyproject.toml --output-file requirements.lock

wheel: setup
	@rm -rf dist
	$(BIN)/python -m hatchling build -t wheel

docs: setup
	$(BIN)/python -m tests.reference.pages docs

# The first of docker, podman and buildah that is installed.
BUILDER ?= $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name) 2>/dev/null)))
BUILD_ARGS ?=
IMAGE ?= pokewatch
TARGETS ?= pipeline serving gateway
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
OVERLAY ?= local
# Of `make rollback`; without one, the only market. The recipe has it from the environment, so that it is never shell code.
export MARKET ?=

images:
	@test -n "$(BUILDER)" || { echo "make images needs docker, podman or buildah, and none was found. Install one, or give its path: make images BUILDER=/path/to/docker" >&2; exit 1; }
	@for target in $(TARGETS); do \
		$(BUILDER) build $(BUILD_ARGS) --build-arg VERSION=$(VERSION) --build-arg GIT_COMMIT=$$(git rev-parse HEAD) \
			--target $$target --tag $(IMAGE)/$$target:$(VERSION) . || exit 1; \
	done

version:
	@echo $(VERSION)

deploy:
	k8s/deploy.sh $(OVERLAY)

verify:
	k8s/verify.sh

rollback:
	k8s/rollback.sh "$$MARKET"

sbom: setup
	@mkdir -p build/sbom
	@for part in pipeline serving gateway; do \
		$(BIN)/uv venv --quiet --clear build/sbom/$$part && \
		$(BIN)/uv pip install --quiet --python build/sbom/$$part/bin/python --require-hashes --constraint requirements.lock --requirement pyproject.toml --extra $$part $$([ $$part = gateway ] && echo --extra mcp || echo --extra tracing) && \
		$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py environment --output-file build/sbom/$$part.json build/sbom/$$part && \
		rm -rf build/sbom/$$part && echo build/sbom/$$part.json || exit 1; \
	done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
