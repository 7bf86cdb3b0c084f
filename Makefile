# A fresh clone needs Python >= 3.11 with venv, make, and a Python package index; everything else is installed from the
# lock files into .venv. Stamp files keep what is installed: a second run starts at once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# --require-hashes: a package that is not the one we locked does not install.
# --only-binary:    a source package would fetch its own build tools, and those no lock pins.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
FROM_LOCK   := $(PIP_INSTALL) --require-hashes --only-binary :all:
THIS        := $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

# What `make lock` means by "every platform": one file for all systems and all Pythons from 3.11 on. It names no index.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(LOCK_FLAGS)

# The wheel of pyright carries the checker itself and pyright[nodejs] brings Node.js as a wheel, so nothing is fetched
# when it runs. It would still ask for its newest version, and use another one if the environment said so.
PYRIGHT := env -u PYRIGHT_PYTHON_FORCE_VERSION -u PYRIGHT_PYTHON_PYLANCE_VERSION PYRIGHT_PYTHON_IGNORE_WARNINGS=1 \
	$(BIN)/pyright --pythonpath $(BIN)/python

# How long `make soak` goes on, and its first seed: the last line of a run says where the next one may go on.
SOAK_SECONDS ?= 600
SOAK_SEED    ?= 1000000

# The image that is built, pushed and deployed, and the programs that do it.
IMG            ?= liqo-connectivity-engine:$(VERSION)
CONTAINER_TOOL ?= docker
KUBECTL        ?= kubectl
HELM           ?= helm
DEFINITIONS    := $(patsubst %,-f %,$(wildcard deploy/base/crd*.yaml))
# Where a release is published: the image as REGISTRY/liqo-connectivity-engine, the chart under REGISTRY/charts.
REGISTRY       ?= ghcr.io/liqo-connectivity
PLATFORMS      ?= linux/amd64,linux/arm64
# Arguments of `make run`, as of `liqo-connectivity run`.
ARGS           ?=

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/liqo_connectivity/__init__.py)

DEMO_RENDER := liqo-connectivity render -f examples/consumer -o nft
DEMO_WHY    := liqo-connectivity why -f examples/consumer shop/web-2 shop/web-0:8080/tcp

# nft lives in sbin, which is not on the path of every user.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The targets of `make test` share one terminal and two cores; and its last line must be that of pytest.
.NOTPARALLEL:

.PHONY: help
help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV)/.runtime ## Install what a user needs, write an example's chains, explain one verdict
	$(BIN)/$(DEMO_RENDER)
	$(BIN)/$(DEMO_WHY)

.PHONY: test
# Tests with a control plane come one after the other, and nothing else runs beside them: on two cores, a second API server
# or two workers that compute make them wait for longer than they do.
test: lint types docs tools controlplane liqoagent ## Lint, types, tests: everything CI runs
	$(BIN)/python -m pytest -n auto -m 'not control_plane' --durations=10
	$(BIN)/python -m pytest -m control_plane --durations=10

.PHONY: quick
quick: $(VENV)/.dev ## Run the tests that are quick, with few seeds: the loop while you work
	SEEDS=few $(BIN)/python -m pytest -n auto -m 'not slow and not control_plane'

.PHONY: lint
lint: $(VENV)/.dev ## ruff, spelling and words, dead code, workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python -m tools.wording
	$(BIN)/vulture
	$(BIN)/python -m tools.actionlint
	$(BIN)/zizmor --offline --quiet .github

.PHONY: types
types: $(VENV)/.dev ## mypy --strict and pyright
	$(BIN)/mypy
	$(PYRIGHT)

.PHONY: docs
docs: $(VENV)/.dev ## Build the documentation site into build/site; a broken link or anchor is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build

.PHONY: hooks
hooks: $(VENV)/.dev ## Have git run what lint runs on every commit
	$(BIN)/pre-commit install

.PHONY: bench
bench: $(VENV)/.bench ## Measure the engine beside pyDatalog, clingo, SQLite and DuckDB
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.cold
	$(BIN)/python -m benchmarks.chains
	$(BIN)/python -m benchmarks.fields

.PHONY: soak
soak: $(VENV)/.dev ## Run random checks for SOAK_SECONDS, from seed SOAK_SEED on: databases that change, hostile writers, verdicts, policies that fit, inputs, certificates
	$(BIN)/python -m tools.soak --seconds $(SOAK_SECONDS) --seed $(SOAK_SEED)

# How many packets `make truth` sends, for how long at most, and its first seed.
TRUTH_PROBES  ?= 2000000
TRUTH_SECONDS ?= 600
TRUTH_SEED    ?= 0

.PHONY: truth
truth: $(VENV)/.dev tools ## Send TRUTH_PROBES packets through random topologies; the kernel must do with each what why says
	$(BIN)/python -m tests.dataplane --probes $(TRUTH_PROBES) --seconds $(TRUTH_SECONDS) --seed $(TRUTH_SEED)

.PHONY: cluster
cluster: $(VENV)/.dev tools controlplane ## Run the tests that need a control plane, and no others
	$(BIN)/python -m pytest -m control_plane

.PHONY: seeds
seeds: $(VENV)/.dev ## Random programs with all seeds, of which `make test` takes one in six
	SEEDS=all $(BIN)/python -m pytest -n auto -m slow tests/engine/test_database_churn.py tests/engine/test_aggregates.py \
		tests/engine/test_pydatalog.py tests/engine/test_random_programs.py tests/rules/test_second_opinion.py

# How many seeds `make faults` takes for each fault.
FAULT_SEEDS ?= 10

.PHONY: faults
faults: $(VENV)/.dev controlplane ## Break the way to the API server FAULT_SEEDS times in every way; kill the controller everywhere
	FAULT_SEEDS=$(FAULT_SEEDS) $(BIN)/python -m pytest tests/cluster/test_faults.py tests/cluster/test_crashes.py

# What the tests run besides Python: nft loads what we write, ip builds the networks that packets cross, dot draws;
# buildah builds the image, on a base that debootstrap makes.
TOOLS := nft:nftables ip:iproute2 dot:graphviz buildah:buildah debootstrap:debootstrap

.PHONY: tools
tools: ## Install what the tests run (Debian: nftables, iproute2, Graphviz, buildah, debootstrap) where it is missing
	@missing=; for tool in $(TOOLS); do command -v $${tool%%:*} >/dev/null || missing="$$missing $${tool##*:}"; done; \
	test -n "$$missing" || exit 0; \
	command -v apt-get >/dev/null || { echo "make: the tests need$$missing: install them, then run make again" >&2; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then root=; elif sudo -n true 2>/dev/null; then root='sudo -n'; else \
	echo "make: the tests need$$missing: run \"apt-get install$$missing\" as root, then run make again" >&2; exit 1; fi; \
	set -x; $$root apt-get -qq update && \
	$$root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing

.PHONY: controlplane
controlplane: $(VENV)/.dev ## Build the Kubernetes control plane of the tests: minutes the first time, nothing after
	$(BIN)/python -m tools.control_plane_binaries

.PHONY: liqoagent
liqoagent: $(VENV)/.dev ## Build Liqo's own agent, with which tests apply objects: minutes the first time, nothing after
	$(BIN)/python -m tools.liqo_agent

# How many objects `make edits` takes, each with six edits.
SEQUENCES ?= 10000

.PHONY: edits
edits: liqoagent ## Edit SEQUENCES objects six times each, and apply every version with Liqo's own agent to a real kernel
	SEQUENCES=$(SEQUENCES) $(BIN)/python -m pytest -n auto tests/chains/test_liqo_program.py

.PHONY: flood
flood: $(VENV)/.dev ## Edit policies 1,000 times under a flood of packets, the controller killed between any two requests
	SEEDS=all $(BIN)/python -m pytest tests/controller/test_edit_flood.py

.PHONY: playground
playground: controlplane ## Run the controller in a real control plane with an example in it; KEEP=1 leaves it running
	$(BIN)/python -m tools.playground $(if $(KEEP),--keep)

.PHONY: build
build: $(VENV)/.dev ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation

.PHONY: changelog
changelog: $(VENV)/.dev ## Show changelog.d/ as the next version of CHANGELOG.md
	$(BIN)/towncrier build --draft --version $(VERSION)

# The branch that a change is to be merged into.
BASE ?= origin/main

.PHONY: changelog-check
changelog-check: $(VENV)/.dev ## Check that this branch adds a changelog fragment that BASE does not have
	$(BIN)/towncrier check --compare-with $(BASE)

.PHONY: changelog-release
changelog-release: $(VENV)/.dev ## Move changelog.d/ into CHANGELOG.md, as the version in src/liqo_connectivity/__init__.py
	$(BIN)/towncrier build --yes --version $(VERSION)

.PHONY: release-notes
release-notes: ## Print what CHANGELOG.md says about this version
	@awk -v heading='## [$(VERSION)]' 'index($$0, heading) == 1 { found = 1; next } /^## / { found = 0 } \
	found { print; some = 1 } END { exit !some }' CHANGELOG.md || \
	{ echo 'make: CHANGELOG.md has no version $(VERSION): run make changelog-release' >&2; exit 1; }

.PHONY: release-check
release-check: ## Check that TAG names this version, and that CHANGELOG.md and the chart do
	@test '$(TAG)' = 'v$(VERSION)' || { echo 'make: the tag is $(TAG), and this is version $(VERSION)' >&2; exit 1; }
	@grep -qx 'version: $(VERSION)' deploy/chart/Chart.yaml && grep -qx 'appVersion: $(VERSION)' deploy/chart/Chart.yaml || \
	{ echo 'make: deploy/chart/Chart.yaml is not of version $(VERSION)' >&2; exit 1; }
	@$(MAKE) --silent release-notes >/dev/null

.PHONY: publish
publish: $(VENV)/.dev ## Publish dist/ on the package index, as the workflow that runs this (trusted publishing)
	$(BIN)/uv publish --trusted-publishing always dist/*.whl dist/*.tar.gz

.PHONY: manifests
manifests: $(VENV)/.dev controlplane ## Generate the CustomResourceDefinitions and deploy/install.yaml
	$(BIN)/python -m liqo_connectivity.facts.crd.generate deploy/base deploy/chart
	$(BIN)/python -m pytest -q tests/package/test_deploy.py -k install_yaml --update

.PHONY: install
install: ## Install the CustomResourceDefinitions into the cluster of the kubeconfig
	$(KUBECTL) apply $(DEFINITIONS)

.PHONY: uninstall
uninstall: no-policies ## Remove the CustomResourceDefinitions; refuses while there are policies
	$(KUBECTL) delete --ignore-not-found $(DEFINITIONS)

.PHONY: run
run: $(VENV)/.runtime ## Run the controller here, against the cluster of the kubeconfig
	$(BIN)/liqo-connectivity run $(ARGS)

.PHONY: docker-build
docker-build: ## Build the image IMG
	$(CONTAINER_TOOL) build --tag $(IMG) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null) .

.PHONY: docker-push
docker-push: ## Push the image IMG
	$(CONTAINER_TOOL) push $(IMG)

# Image names are lower-case, and the owner of a fork need not be.
RELEASE_IMG   = $(shell echo '$(REGISTRY)' | tr A-Z a-z)/liqo-connectivity-engine
RELEASE_CHART = build/chart/liqo-connectivity-engine

.PHONY: image-release
image-release: ## Build the image for PLATFORMS, with SBOM and provenance, and push it to REGISTRY
	$(CONTAINER_TOOL) buildx build --platform $(PLATFORMS) --sbom=true --provenance=mode=max --push \
		--tag $(RELEASE_IMG):$(VERSION) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) .

.PHONY: chart
chart: ## Package the chart into dist/, with the image of REGISTRY as its default
	rm -rf $(RELEASE_CHART) && mkdir -p $(RELEASE_CHART) && cp -R deploy/chart/. $(RELEASE_CHART)
	sed -i.orig 's|^  repository: .*|  repository: $(RELEASE_IMG)|' $(RELEASE_CHART)/values.yaml
	rm $(RELEASE_CHART)/values.yaml.orig
	$(HELM) package $(RELEASE_CHART) --destination dist

.PHONY: chart-push
chart-push: chart ## Push the chart to REGISTRY as an OCI artifact
	$(HELM) push dist/liqo-connectivity-engine-$(VERSION).tgz oci://$(dir $(RELEASE_IMG))charts

.PHONY: deploy
deploy: ## Install everything, with the image IMG, into the cluster of the kubeconfig
	$(KUBECTL) kustomize deploy | sed 's|image: liqo-connectivity-engine:.*|image: $(IMG)|' | $(KUBECTL) apply -f -

.PHONY: undeploy
undeploy: no-policies ## Remove everything but the namespace; refuses while there are policies
	$(KUBECTL) kustomize deploy/base | $(KUBECTL) delete --ignore-not-found -f -

# A policy has a finalizer that only a running controller releases, after it has taken the chain off the nodes.
.PHONY: no-policies
no-policies:
	@defined="$$($(KUBECTL) get --ignore-not-found --output name -f deploy/base/crd.yaml)" || exit 1; \
	test -n "$$defined" || exit 0; \
	found="$$($(KUBECTL) get peeringconnectivities --all-namespaces --output name)" || exit 1; \
	test -z "$$found" || { echo 'make: there are policies; while the controller runs, delete them first:' \
	'$(KUBECTL) delete peeringconnectivities --all --all-namespaces' >&2; exit 1; }

.PHONY: lock
lock: $(VENV)/.dev ## Resolve the lock files; LOCK_FLAGS=--upgrade takes newer versions
	$(LOCK) pyproject.toml --group build --output-file requirements.lock
	$(LOCK) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group go --output-file tools/go_modules/go.lock
	$(LOCK) --group bench --output-file benchmarks/bench.lock

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("make: this is Python %d.%d, and 3.11 is the least: \
	name a newer one with PYTHON=" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements.lock pyproject.toml setup.py
	$(FROM_LOCK) --requirement requirements.lock
	$(THIS)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(FROM_LOCK) --requirement requirements-dev.lock
	@touch $@

$(VENV)/.bench: $(VENV)/.dev benchmarks/bench.lock
	$(FROM_LOCK) --requirement benchmarks/bench.lock
	@touch $@
