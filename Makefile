# All of this needs Go and make; what else a target needs it installs where it
# can (Debian, as root or with sudo) and otherwise names.

SHELL := /bin/sh
# The root module first, because the others are built upon it.
MODULES := . $(patsubst %/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './.*/*' | sort))

# What to hand to the demo, such as ARGS='--for 10s --json'.
ARGS ?=
# How long the soak lasts.
SOAK ?= 20m
# The race detector; RACE= does without it, and without a C compiler.
RACE ?= -race
# The longest that the tests of one package may take.
TIMEOUT ?= 10m
# Where programs are built.
BIN ?= .bin
# The PostgreSQL versions of test-matrix.
MAJORS ?= 13 14 15 16 17 18

.PHONY: help demo test test-matrix soak bench lint fmt tidy

help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "On another PostgreSQL: ROWSYNC_PG_MAJOR=18 make test. One package: go test -race ./pgtemp"

demo: ## Show a value staying in step with a database (ARGS='--for 10s --json')
	@scripts/require.sh go postgresql
	@mkdir -p $(BIN) && go build -o $(BIN)/rowsync ./cmd/rowsync && exec $(BIN)/rowsync demo $(ARGS)

test: ## Test every module
	@scripts/require.sh go postgresql $(if $(RACE),cc)
	@scripts/each-module.sh "$(MODULES)" go test $(RACE) -timeout $(TIMEOUT) ./...

test-matrix: ## Test every module on PostgreSQL 13 to 18 (MAJORS='13 18')
	@scripts/require.sh go $(if $(RACE),cc)
	@failed=; for major in $(MAJORS); do \
		echo "== PostgreSQL $$major"; \
		ROWSYNC_PG_MAJOR=$$major scripts/each-module.sh "$(MODULES)" go test $(RACE) -count=1 -timeout $(TIMEOUT) ./... || failed="$$failed $$major"; \
	done; \
	[ -z "$$failed" ] || { echo "failed on PostgreSQL$$failed" >&2; exit 1; }

soak: ## Run the oracle tests for long, all at once (SOAK=20m; ROWSYNC_SEED says where seeds begin)
	@scripts/require.sh go postgresql $(if $(RACE),cc)
	@ROWSYNC_SOAK=$(SOAK) scripts/each-module.sh "$(MODULES)" go test $(RACE) -count=1 -parallel 8 -v -run Oracle -timeout 0 ./...

bench: ## Run the benchmarks
	@scripts/require.sh go postgresql
	@scripts/each-module.sh "$(MODULES)" go test -run '^$$' -bench . -benchmem -timeout 0 ./...

lint: ## Check format and code of every module
	@scripts/require.sh go
	@scripts/lint.sh "$(MODULES)"

fmt: ## Format all code
	@scripts/require.sh go
	@scripts/each-module.sh "$(MODULES)" scripts/golangci-lint.sh fmt

tidy: ## Tidy every go.mod
	@scripts/require.sh go
	@scripts/tidy.sh "$(MODULES)"
