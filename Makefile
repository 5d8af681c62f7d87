# Every target covers all modules of go.work; the library is also built and
# tested alone (GOWORK=off), at the floors that its go.mod promises to embedders.
# Tools are fetched at pinned versions into bin/: nothing is installed elsewhere.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULES := $(shell awk '$$1 ~ /^\.(\/|$$)/ {print $$1}' go.work)

# Where the tests and `make run` find Envoy. Another one: make test ENVOY=/path/to/envoy
override ENVOY := $(abspath $(or $(ENVOY),bin/envoy))
export ENVOY
# SKIP_ENVOY=1 skips the tests that need a real Envoy; each prints that it did.
export SKIP_ENVOY
# Where the tests find Prometheus and, beside it, promtool. Others: make test PROMETHEUS=/path/to/prometheus
override PROMETHEUS := $(abspath $(or $(PROMETHEUS),bin/prometheus))
export PROMETHEUS
# SKIP_PROMETHEUS=1 skips the tests that need them; they print that they did.
export SKIP_PROMETHEUS
# Where the tests of the charts find Helm. Another one: make test HELM=/path/to/helm
override HELM := $(abspath $(or $(HELM),bin/helm))
export HELM
# SKIP_HELM=1 skips them; they print that they did.
export SKIP_HELM
# SKIP_CLIENTS=1 skips the tests with other xDS clients; they print that they did.
export SKIP_CLIENTS

GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(CURDIR)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

# The race detector needs a C compiler; without one the tests run without it and say so.
ifeq ($(shell go env CGO_ENABLED 2>/dev/null),1)
RACE := -race
else
RACE :=
endif

# go build stamps the git revision and fails where git cannot tell it (a tarball,
# a checkout that belongs to another user, no commit yet): leave it out there.
ifneq ($(shell git status --porcelain >/dev/null 2>&1 && git rev-parse -q --verify HEAD >/dev/null && echo stamped),stamped)
export GOFLAGS := $(strip $(shell go env GOFLAGS 2>/dev/null) -buildvcs=false)
endif

# $(call in_modules,COMMAND) runs COMMAND in each module, up to the first that fails.
define in_modules
@for module in $(MODULES); do \
  printf '%s: %s\n' "$$module" '$(strip $(1))'; \
  (cd "$$module" && $(1)); \
done
endef

##@ Use

.PHONY: help
help: ## Show this list
	@bold= cyan= off=; \
	if [ -t 1 ]; then bold=$$'\e[1m' cyan=$$'\e[36m' off=$$'\e[0m'; fi; \
	awk -v bold="$$bold" -v cyan="$$cyan" -v off="$$off" -F ':.*## ' \
	  '/^##@ / {printf "\n%s%s%s\n", bold, substr($$0, 5), off} \
	   /^[a-z0-9-]+:.*## / {printf "  %s%-16s%s %s\n", cyan, $$1, off, $$2}' Makefile; \
	printf '\nENVOY=/path/to/envoy uses an Envoy of your own, SKIP_ENVOY=1 none; SKIP_CLIENTS=1 no xDS client of gRPC, SKIP_PROMETHEUS=1 no Prometheus, SKIP_HELM=1 no Helm.\n'

.PHONY: build
build: go ## Compile all modules, and the command into bin/xdsready
	$(call in_modules,go build ./...)
	GOWORK=off go build ./...
	go build -o bin/xdsready ./cmd/xdsready

.PHONY: run
run: build envoy ## Start the quick start: a backend, xdsready and a real Envoy (RUN_ONCE=1: one request, then stop)
	@hack/run.sh

.PHONY: clean
clean: ## Remove bin/, with everything built and fetched
	rm -rf bin

##@ Check

.PHONY: test
test: go envoy prometheus helm clients ## Run the tests with the race detector, those with a real Envoy included
ifeq ($(RACE),)
	@echo 'WARNING: no C compiler found, so the tests run WITHOUT the race detector'
endif
	$(call in_modules,go test $(RACE) $$(go list ./... | grep -vE "/test/($(ADOPTERS)|cluster)$$"))
	GOWORK=off go test $(RACE) ./...
	cd cmd/xdsready && go test -tags xdsready_testing -run '^TestTestFlags$$' .

# How many swaps in each series of test/envoy's swap tests; `make test` does ten.
SWAPS ?= 100

.PHONY: swap
swap: go envoy ## Replace what serves under load, without a failed request (SWAPS=100 times in each series)
	cd test && SWAPS=$(SWAPS) go test $(RACE) -v -timeout 30m -run '^TestSwap' ./envoy

# They build programs of others, each with module versions of its own, so that
# on a fresh machine they take longer than all other tests together.
ADOPTERS := adopters|consumer

.PHONY: adopters
adopters: go ## Build Contour with our patch, and a program at Kubernetes 0.34, and test both
	cd test && go test -v -timeout 30m $(patsubst %,./%,$(subst |, ,$(ADOPTERS)))

.PHONY: dashboards
dashboards: go envoy prometheus ## Run every query of the dashboard and the alerts against a real Prometheus
	cd test && go test -count=1 -v ./dashboards

# REFERENCES=10000 is a longer search for routes without their cluster, OUTAGE=5m
# a longer absence of the API server. RUN=Gateway: only the tests that match.
.PHONY: kubernetes
kubernetes: go envoy ## Test --source kubernetes against a real kube-apiserver, which hack/cluster builds first (once, 6 minutes)
	binaries=$$(hack/cluster binaries); \
	cd test; \
	KUBEBUILDER_ASSETS=$$binaries go test -count=1 $(RACE) -timeout 30m $(if $(RUN),-run '$(RUN)') ./kubernetes

# How long events happen; SEED draws them and the configuration, 0: one by chance, which is printed.
DURATION ?= 30m
SEED ?= 0
REPLICAS ?= 3
ENVOYS ?= 10

CHAOS = bin/chaos --replicas $(REPLICAS) --envoys $(ENVOYS) --envoy $(ENVOY)

.PHONY: chaos
chaos: chaos-programs ## Let all go wrong with three replicas under load, ours and two baselines, then make restart (DURATION=30m SEED= REPLICAS=3 ENVOYS=10)
	$(CHAOS) --duration $(DURATION) --seed $(or $(SEED),0)
	$(MAKE) restart

.PHONY: chaos-ci
chaos-ci: chaos-programs ## Let all go wrong for 3 minutes with the seed 1, then with one by chance
	$(CHAOS) --duration 3m --seed 1
	$(CHAOS) --duration 3m --seed 0

.PHONY: chaos-programs
chaos-programs: go envoy
	go build -o bin/xdsready ./cmd/xdsready
	go build -o bin/chaos-baseline ./test/chaos/baseline
	go build -o bin/chaos ./test/chaos

# KUBECONFIG and IMAGE_LOAD name a cluster of your own, and a command that loads
# an image of the local engine into it: docs/kubernetes-tests.md. Without them it
# is our own, which stays up if it was up before. RUN=Gateway: only the tests that match.
export IMAGE_LOAD
E2E = E2E=1 go test -v -timeout 30m $(if $(RUN),-run '$(RUN)') ./cluster

.PHONY: e2e
e2e: go envoy helm ## Test on a real Kubernetes: one that hack/cluster brings up (as root, on Debian), or your own
ifeq ($(and $(KUBECONFIG),$(IMAGE_LOAD)),)
	@hack/cluster status >/dev/null 2>&1 || trap 'hack/cluster down' EXIT; \
	hack/cluster up; \
	export KUBECONFIG=$$(hack/cluster kubeconfig); \
	(cd test && IMAGE_LOAD= $(E2E))
else
	cd test && $(E2E)
endif

.PHONY: restart
restart: go envoy ## Measure what proxies notice of a rolling restart, a crash and a gate that opens (4 minutes)
	go run ./test/restart

.PHONY: lint
lint: vet $(GOLANGCI_LINT) ## Run make vet, look for outdated generated code, then golangci-lint
	@hack/generate.sh check
	$(call in_modules,$(GOLANGCI_LINT) run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...)

.PHONY: vet
vet: go ## Check the house rules that a script can check (hack/vet.sh)
	@hack/vet.sh $(MODULES)

.PHONY: fuzz
fuzz: go ## Run each fuzz target (FUZZTIME=30s each)
	@hack/fuzz.sh

.PHONY: cover
cover: go envoy prometheus helm clients ## Print the test coverage of each module (profiles in bin/cover)
	@hack/cover.sh $(MODULES)

.PHONY: bench
bench: go ## Measure ourselves and our peers in one run, as a table
	go run ./test/bench

.PHONY: bench-docs
bench-docs: go ## Measure the cost of many proxies and write docs/performance.md
	go run ./test/bench --only '^(fanout|idle|scale)/' --docs docs

.PHONY: bench-kubernetes
bench-kubernetes: go ## Measure a start and changes with a full kube-apiserver, and write docs/performance.md
	KUBEBUILDER_ASSETS=$$(hack/cluster binaries) go run ./test/bench --only '^kubernetes/' --docs docs

.PHONY: bench-ready
bench-ready: go ## Measure how long a start takes with 100 to 50,000 Services in a kube-apiserver (15 minutes)
	KUBEBUILDER_ASSETS=$$(hack/cluster binaries) go run ./test/bench --only '^kubernetes-sizes/'

##@ Maintain

.PHONY: generate
generate: go ## Generate the Go code of .proto files (hack/generate.sh, which fetches the compiler)
	@hack/generate.sh

# Not `go work sync`: it would raise the library's floors to the newest versions.
.PHONY: tidy
tidy: go ## Tidy the go.mod and go.sum of each module
	$(call in_modules,GOWORK=off go mod tidy)

##@ Tools (fetched when a target needs them)

.PHONY: envoy
envoy: ## Fetch Envoy into bin/envoy (hack/envoy.sh)
ifeq ($(SKIP_ENVOY),1)
	@echo 'SKIP_ENVOY=1: what needs a real Envoy is left out'
else
	@hack/envoy.sh
endif

.PHONY: prometheus
prometheus: ## Fetch Prometheus and promtool into bin/ (hack/prometheus.sh)
ifeq ($(SKIP_PROMETHEUS),1)
	@echo 'SKIP_PROMETHEUS=1: what needs a real Prometheus is left out'
else
	@hack/prometheus.sh
endif

.PHONY: helm
helm: go ## Build Helm into bin/helm, which takes a few minutes once (hack/helm.sh)
ifeq ($(SKIP_HELM),1)
	@echo 'SKIP_HELM=1: the tests of the charts are left out'
else
	@hack/helm.sh
endif

.PHONY: clients
clients: ## Fetch gRPC's xDS clients for Node.js and Python into bin/clients (hack/clients.sh)
ifeq ($(SKIP_CLIENTS),1)
	@echo 'SKIP_CLIENTS=1: what needs xDS clients other than Envoy is left out'
else
	@hack/clients.sh
endif

$(GOLANGCI_LINT):
	@echo 'installing golangci-lint $(GOLANGCI_LINT_VERSION) into bin/ (go install; takes a few minutes once)'
	@GOWORK=off GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv bin/golangci-lint $@

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'go is missing: xdsready is built with Go 1.26 or newer, see https://go.dev/dl' >&2; exit 1; }
