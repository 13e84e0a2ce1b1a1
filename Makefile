# Every target does its own set-up; what is set up already is not set up again.
#   PORT=3000      where `make run` listens
#   PYTHON=…       the interpreter for the environments (3.11 or newer; found on PATH when not given)
#   STAGE=dev      what `make deploy` deploys
#   ARGS=…         more arguments for pytest, for example ARGS="-k receipt"

SHELL := /bin/bash
.DEFAULT_GOAL := help

PORT ?= 3000
STAGE ?= dev
ARGS ?=
PY := .venv/bin/python
SAM := env -u PYTHONPATH SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-north-1 .venv-sam/bin/sam
UV_COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile -q --generate-hashes
SURFACES := $(sort $(wildcard functions/*/template.yaml))

export PYTHONPATH := functions:layers/core/python:.
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run reset test test-long bench check format-check lint types laws templates drift \
        format generate package build deploy lock upgrade clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── the platform on this machine ──────────────────────────────────────────────────────────────────
run: .venv/.ready engine ## Start the platform on http://127.0.0.1:3000
	@exec $(PY) -m local serve --port $(PORT)

reset: .venv/.ready ## Forget the state of the local platform
	@$(PY) -m local reset

# ── proof ─────────────────────────────────────────────────────────────────────────────────────────
# Files go to the cores in their order, so that the quick ones of tests/unit fill what the slow ones leave.
test: .venv/.ready .venv-sam/.ready engine ## Run the tests (about eight minutes on two cores)
	@$(PY) -m pytest -q -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: .venv/.ready .venv-sam/.ready engine ## Run the tests that take minutes each
	@$(PY) -m pytest -q -n auto --dist loadfile -m long $(ARGS)

bench: .venv/.ready engine ## Measure imports, overhead, cycles, lists and webhooks
	@$(PY) -m pytest -q -s -p no:xdist -m bench tests/bench $(ARGS)

check: format-check lint types laws templates drift ## All checks that run nothing: each is a target of its own
	@echo "check: all good"

format-check: .venv/.ready
	@.venv/bin/ruff format --quiet --diff . || { echo "format: run 'make format'"; exit 1; }

lint: .venv/.ready ## ruff
	@.venv/bin/ruff check --quiet .

types: .venv/.ready ## mypy --strict
	@.venv/bin/mypy --no-error-summary

laws: .venv/.ready ## import-linter: the law of layers
	@.venv/bin/lint-imports --no-cache > .venv/laws.log 2>&1 || { sed -n '/^Contracts$$/,$$p' .venv/laws.log; exit 1; }

templates: .venv/.ready .venv-sam/.ready ## sam validate --lint, cfn-lint with the rules of tools/cfn_rules
	@for template in template.yaml $(SURFACES); do \
	  $(SAM) validate --lint --template $$template > .venv-sam/validate.log 2>&1 || { cat .venv-sam/validate.log; exit 1; }; \
	done
	@.venv/bin/cfn-lint --append-rules tools/cfn_rules --template template.yaml $(SURFACES)

drift: .venv/.ready ## Generated files equal what is generated now
	@$(PY) -m tools.drift

format: .venv/.ready ## Format, and mend what ruff can mend
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format --quiet .

generate: .venv/.ready ## Write the generated files: surface templates, OpenAPI documents, coverage
	@$(PY) -m tools.generate

# ── deployment ────────────────────────────────────────────────────────────────────────────────────
package: .venv/.ready ## Zips of functions and layers in build/ (needs Python 3.13)
	@$(PY) -m tools.package

build: package .venv-sam/.ready ## sam build, from the zips
	@$(SAM) build --cached

deploy: package .venv-sam/.ready ## sam deploy to STAGE
	@env -u PYTHONPATH SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam deploy --config-env $(STAGE)

# ── environments ──────────────────────────────────────────────────────────────────────────────────
.venv/.ready: requirements/dev.txt requirements/uv.txt
	@$(call environment,.venv,requirements/dev.txt)

.venv-sam/.ready: requirements/sam.txt requirements/uv.txt
	@$(call environment,.venv-sam,requirements/sam.txt)

# The interpreter is tried, not only found: shims on PATH may name versions that are not installed.
define environment
set -euo pipefail; \
usable() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; }; \
python="$(PYTHON)"; \
if [ -z "$$python" ]; then \
  for candidate in python3 python3.13 python3.12 python3.11 python3.14; do \
    if usable $$candidate; then python=$$candidate; break; fi; \
  done; \
fi; \
usable "$$python" || { echo "Kickstand needs Python 3.11 or newer on PATH (or PYTHON=/path/to/python)"; exit 1; }; \
echo "setting up $(1) with $$("$$python" -V)"; \
"$$python" -m venv --clear $(1); \
$(1)/bin/python -m pip install -q --require-hashes -r requirements/uv.txt; \
$(1)/bin/uv pip install -q --compile-bytecode --python $(1)/bin/python --require-hashes -r $(2) \
  || $(1)/bin/python -m pip install -q --require-hashes -r $(2); \
touch $@
endef

# Where npm is missing the local platform falls back to a slower engine, and says so.
.PHONY: engine
engine: local/engine/node_modules/.ready

local/engine/node_modules/.ready: local/engine/package-lock.json
	@if command -v npm > /dev/null; then \
	  npm ci --silent --no-audit --no-fund --prefix local/engine && touch $@; \
	else \
	  echo "npm is not installed: the local platform will use its slower engine"; \
	fi

# What every function has from the base layer, no other layer has again.
lock: .venv/.ready ## Lock requirements/*.in again, keeping versions where they still fit
	@$(UV_COMPILE) --universal --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	@based=""; for layer in requirements/layer-base.in $(filter-out %-base.in,$(sort $(wildcard requirements/layer-*.in))); do \
	  $(UV_COMPILE) --python-version 3.13 --python-platform aarch64-manylinux_2_28 -c requirements/dev.txt \
	    $$based $$layer -o $${layer%.in}.txt || exit 1; \
	  [ -n "$$based" ] || based=$$(sed -n 's/^\([a-z0-9][^=]*\)==.*/--no-emit-package \1/p' $${layer%.in}.txt); \
	done
	@$(UV_COMPILE) --universal --python-version 3.11 requirements/sam.in -o requirements/sam.txt
	@$(UV_COMPILE) --universal --python-version 3.11 requirements/uv.in -o requirements/uv.txt

upgrade: .venv/.ready ## Lock again with the newest versions
	@rm -f requirements/dev.txt requirements/layer-*.txt requirements/sam.txt
	@$(MAKE) lock

clean: ## Remove environments, builds and caches, but not the local state
	@rm -rf .venv .venv-sam build local/engine/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .aws-sam
