# The Python to create .venv with.
PYTHON ?= python3
# Added to the command that the target runs.
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
PYTEST := $(BIN)/pytest --numprocesses=2 --dist=worksteal
# The environment with the oldest versions, and the tests that run there.
OLDEST := .venv-oldest
CORE := sparsity algorithms kernels modeling callbacks \
  deploy/test_compact.py deploy/test_shrinking.py keras_compat

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help train test test-all test-oldest coverage lint docs faults benchmarks clean

help:  ## List the targets
	@echo "Usage: make TARGET [PYTHON=python3.12] [ARGS='...']"
	@echo
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1|\2/p' Makefile \
	  | while IFS='|' read -r name does; do \
	      printf '  %-12s%s\n' "$$name" "$$does"; \
	    done

# Hides messages of TensorFlow about missing GPU drivers.
train test-oldest: export TF_CPP_MIN_LOG_LEVEL ?= 3
train: $(INSTALLED)  ## Train on the digits; ARGS go to rigl-sweep
	$(BIN)/rigl-sweep --sweep=digits --output_dir=runs $(ARGS)

test: lint  ## Check style, run all tests except slow ones; ARGS go to pytest
	$(PYTEST) $(ARGS)

test-all: lint  ## Check style, run all tests; ARGS go to pytest
	$(PYTEST) -m "" $(ARGS)

coverage: $(INSTALLED)  ## Run all tests, print the lines that no test runs
	$(PYTEST) -m "" --cov --cov-report=term-missing:skip-covered $(ARGS)

test-oldest: $(OLDEST)/.installed  ## Run the core of the tests with the oldest versions
	$(OLDEST)/bin/python -m pytest --numprocesses=2 --dist=worksteal \
	  $(addprefix tests/,$(CORE)) $(ARGS)

lint: $(INSTALLED)  ## Check style, imports, types and language only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python -m tests.language

# Hides the advertisement of a successor of the theme.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(INSTALLED)  ## Build the site into build/site
	$(BIN)/mkdocs build --strict --config-file=docs/site/mkdocs.yml $(ARGS)

faults: $(INSTALLED)  ## Inject faults, print a table; ARGS such as soak
	$(BIN)/python -m tests.faults $(ARGS)

benchmarks: $(INSTALLED)  ## Run every script in benchmarks/; ARGS go to each
	@set -e; for script in benchmarks/*.py; do \
	  echo "$(BIN)/python $$script $(ARGS)"; \
	  $(BIN)/python "$$script" $(ARGS); \
	done

clean:  ## Remove the environment, caches and builds; runs/ stays
	rm -rf .venv $(OLDEST) .coverage* .hypothesis .pytest_cache .ruff_cache
	rm -rf build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# This file marks a complete environment with the versions of requirements.txt.
# First, pip is replaced, because the pip of Debian is too old.
$(INSTALLED): requirements.txt pyproject.toml setup.py | $(BIN)/python
	@echo "Installing requirements.txt into .venv; this takes some minutes."
	@$(BIN)/python -m pip install -qq pip==26.3
	@$(BIN)/python -m pip install -qq --requirement requirements.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation \
	  --editable .
	@touch $(INSTALLED)

$(OLDEST)/.installed: tests/oldest.txt pyproject.toml | $(OLDEST)/bin/python
	@echo "Installing tests/oldest.txt into $(OLDEST)."
	@$(OLDEST)/bin/python -m pip install -qq pip==26.3
	@$(OLDEST)/bin/python -m pip install -qq --requirement tests/oldest.txt
	@touch $@

$(BIN)/python $(OLDEST)/bin/python: %/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(not (3, 11) <= v < (3, 14))' 2>/dev/null || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed and $(PYTHON) is not one." \
	    "Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $*
