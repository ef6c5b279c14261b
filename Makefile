# Every target makes its own virtual environment in .venv; a fresh machine needs python3 and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
NO_VENV = "python3 cannot make a virtual environment. On Debian or Ubuntu type: sudo apt-get install -y python3-venv"

.DEFAULT_GOAL := help
.PHONY: help demo story test test-system check format bench clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo $(NO_VENV); exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo $(NO_VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	@touch $@

demo: $(STAMP)  ## See it work: bot, embedded Redis and a local Slack in the browser
	$(BIN)/jit demo

story: $(STAMP)  ## The same day played without a browser
	$(BIN)/jit demo --script

check: $(STAMP)  ## Format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: check  ## Checks and all tests that need Python alone
	$(BIN)/python -m pytest -n auto -m "not system and not drill"
	$(BIN)/python -m pytest -m drill
	@echo "make test-system runs the tests that need more than Python: Chromium, gateways."

test-system: $(STAMP)  ## Tests that need other programs; fails where one is missing
	$(BIN)/python -m pytest -m system

bench: $(STAMP)  ## Measure, in ratios to a floor of the same run
	$(BIN)/python benchmarks/slack_ack.py
	$(BIN)/python benchmarks/policy.py
	$(BIN)/python benchmarks/introspection.py
	$(BIN)/python benchmarks/ciba.py
	$(BIN)/python benchmarks/guard.py

clean:  ## Remove what the targets made
	rm -rf .venv .jit build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
