# The README's commands. Each makes .venv first, says what it does, and needs only Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
ENV := .venv/.installed
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: help demo test check bench faults audit env
.DEFAULT_GOAL := help

help:
	@echo "make demo    train on MovieLens 100K, print the table, serve the page (options: DEMO_ARGS=--no-serve)"
	@echo "make test    check, tests and documentation"
	@echo "make check   lint, types and the import ladder, in seconds"
	@echo "make faults  the tests that kill, cut off, fill the disk and damage files, alone"
	@echo "make audit   known weaknesses of what is installed (needs the network)"
	@echo "make bench   every benchmark in a small size, and its table (BENCH_ARGS=--full: what is missing of the full results)"

env: $(ENV)

$(ENV): pyproject.toml constraints.txt scripts/install_torch.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Germane needs Python 3.11 or newer; say which with make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making .venv with Germane and its tools (once; one to a few minutes, about 2 GB)."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python scripts/install_torch.py constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(ENV)
	@echo "germane demo $(DEMO_ARGS): trains on MovieLens 100K, compares, and serves the page."
	@$(BIN)/germane demo $(DEMO_ARGS)

check: $(ENV)
	@echo "Lint, form, types, import ladder."
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff format."; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >.venv/ladder.txt || { cat .venv/ladder.txt; exit 1; }

test: check
	@echo "Tests and documentation."
	@$(BIN)/pytest $(TEST_ARGS)

bench: $(ENV)
	@echo "Benchmarks: one script a claim."
	@$(BIN)/python benchmarks/run_all.py $(BENCH_ARGS)

FAULTS := tests/test_bundle.py tests/test_writing.py tests/test_signing.py tests/store tests/serving/test_problems.py tests/training/test_trouble.py tests/training/test_checkpoints.py

faults: $(ENV)
	@echo "Faults: what is killed, cut off, full or damaged."
	@$(BIN)/pytest $(FAULTS) $(TEST_ARGS)

audit: $(ENV)
	@echo "Audit: known weaknesses of what is installed in .venv, asked of the package index."
	@test -x .venv/audit/bin/pip-audit || { $(PYTHON) -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit; }
	@.venv/audit/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" --skip-editable --progress-spinner off
