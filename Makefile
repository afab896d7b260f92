# The named actions of a developer's day; each is idempotent and cheap when there is nothing to do. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

JOBS ?= $(shell nproc)
CMAKE_ARGS ?=
# Of ctest: `make test LABELS=unit` runs only the tests that need nothing but the code.
LABELS ?= unit|model|e2e
# NAME:TYPE of what the model tests use, fetched before them so that no test waits for a download.
TEST_MODELS ?= smollm2-135m:f32 smollm2-135m:bf16 gemma3-270m:original

# Configs of `make study`; one after the other, since each wants the whole machine.
STUDIES ?= smollm2-135m qwen2.5-coder-1.5b

# Parts of `make soak`: kills mpirun slurm memory (all of them).
SOAK ?=

BUILD := build/release
OWN_CODE = find src include cli tests bench -name '*.cpp' -o -name '*.h'

.PHONY: help setup configure build models test report-test soak demo study lint format tidy asan bench compare clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## install missing Debian packages (says which first)
	@scripts/setup.sh

# Configures anew only where there is no build tree or the arguments differ from last time; ninja does the rest.
configure: setup
	@scripts/configure.sh release $(CMAKE_ARGS)

build: configure ## build everything into build/release
	@cmake --build $(BUILD) -j $(JOBS)

models: build ## fetch the models that the tests use
	@for model in $(TEST_MODELS); do \
	    $(BUILD)/bin/valuelens models fetch "$${model%%:*}" --type "$${model##*:}" >/dev/null; \
	done

test: build $(if $(filter unit,$(LABELS)),,models) ## build, fetch the test models, run all tests
	@ctest --test-dir $(BUILD) -j 1 -L "$(LABELS)" --no-tests=error --output-on-failure --no-label-summary
	@scripts/skipped_tests.sh $(BUILD)

report-test: build ## the report's page in a real browser (installs Chromium and playwright-core, says so)
	@scripts/setup.sh --with-browser
	@scripts/report_test.sh $(BUILD)

soak: build models ## 200 kills, shards under mpirun and Slurm, memory with 20,000 queries (two hours; SOAK=kills, ... picks parts)
	@scripts/setup.sh --with-soak
	@scripts/soak.sh $(SOAK)

demo: configure ## a whole run of a small model (runs/demo)
	@cmake --build $(BUILD) -j $(JOBS) --target valuelens
	@scripts/demo.sh

study: build ## whole studies of two models (runs/NAME), then the tables of docs/results.md (hours; STUDIES=NAME picks)
	@for study in $(STUDIES); do $(BUILD)/bin/valuelens run "configs/$$study.toml" --run "runs/$$study" || exit; done
	@python3 scripts/study_results.py --program $(BUILD)/bin/valuelens --into docs/results.md $(STUDIES:%=runs/%)

lint: ## formatting and layering
	@scripts/setup.sh --with-lint
	@$(OWN_CODE) | xargs --no-run-if-empty clang-format --dry-run -Werror
	@python3 scripts/check_layers.py

format: ## format our code in place
	@scripts/setup.sh --with-lint
	@$(OWN_CODE) | xargs --no-run-if-empty clang-format -i

tidy: build ## clang-tidy over src and cli (slow)
	@scripts/setup.sh --with-tidy
	@find src cli -name '*.cpp' | xargs --no-run-if-empty -P $(JOBS) -n 1 clang-tidy -p $(BUILD) --quiet

asan: setup ## unit tests under the address and undefined-behaviour sanitizers
	@scripts/configure.sh asan $(CMAKE_ARGS)
	@cmake --build build/asan -j $(JOBS) --target unit_tests
	@ctest --test-dir build/asan -j 1 -L unit --no-tests=error --output-on-failure --no-label-summary

bench: build ## run every benchmark in build/release/bin but the comparison
	@for program in $(filter-out %/bench_compare_reference,$(wildcard $(BUILD)/bin/bench_*)); do echo "== $${program##*/}"; "$$program"; done

compare: build ## the main job beside a transformers pipeline (its packages need 6 GB)
	@scripts/peer_setup.sh
	@bench/compare_reference

clean: ## remove the build trees (the cache of models and sources stays)
	@rm -rf build
