# Every target makes what it needs in .venv by itself, from Python >= 3.11, make and a network.
# PYTHON=/path/to/python3 names the interpreter; pip's own settings (PIP_..., pip.conf) are left alone.

python := .venv/bin/python
goal := $(or $(firstword $(MAKECMDGOALS)),help)
tour_needs := cloudpickle immutables msgspec numpy pluggy

# A pip.conf that asks for user installs would end every install into .venv.
export PIP_USER := 0

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help tour test test-quick prove lint figures bench clean

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

tour: .venv/ready-for-tour ## set up what it needs, then take the tour on a real local cluster
	@echo "freehold: starting the tour"
	@$(python) examples/remote_objects_tour.py

test: .venv/ready-to-develop ## run the whole test suite; ARGUMENTS="-k put -x" are passed to pytest
	@echo "freehold: running the whole test suite"
	@$(python) tests/side_by_side.py $(ARGUMENTS)

test-quick: .venv/ready-to-develop ## run the tests that together take less than a minute
	@echo "freehold: running the quick tests"
	@$(python) -m pytest -m "not slow and not soak" $(ARGUMENTS)

prove: .venv/ready-to-develop ## search the models of the protocol, and run the tests that take too long for every day
	@echo "freehold: searching the small models of the protocol, each to its end"
	@$(python) -m freehold prove models --quick
	@echo "freehold: searching the models of the protocol, ten minutes each at the most"
	@$(python) -m freehold prove models
	@echo "freehold: looking for errors that others have made"
	@$(python) -m freehold prove variants
	@echo "freehold: asking each backend which rules it keeps"
	@for backend in inline sim local; do $(python) -m freehold prove conformance --backend $$backend || exit 1; done
	@echo "freehold: running the tests that take long"
	@$(python) -m pytest -m soak $(ARGUMENTS)
	@echo "freehold: walking by chance for ten minutes, with the day as the first seed"
	@$(python) -m freehold prove soak --seconds 600 --seed $$(date +%Y%m%d)
	@echo "freehold: looking for faults made by machine"
	@$(python) -m freehold prove mutants

lint: .venv/ready-to-develop ## check style, format and types
	@echo "freehold: checking style, format and types"
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy

figures: .venv/ready-to-develop ## draw the pictures of the manual, run the studies, and measure the figure of the README again
	@echo "freehold: drawing the pictures, and measuring the latency of get"
	@$(python) docs/notebooks.py
	@$(python) docs/pictures.py
	@$(python) docs/latency.py
	@$(python) docs/studies.py

bench: .venv/ready-to-develop .venv-bench/ready ## measure freehold beside its peers; ARGUMENTS="--only round-trip" are passed on
	@echo "freehold: measuring; everything takes about 25 minutes"
	@$(python) -m freehold bench --against ray,pool,dask,loky $(ARGUMENTS)

clean: ## remove the environment and everything else that is made
	@echo "freehold: removing .venv, .venv-bench, builds and caches"
	@rm -rf .venv .venv-bench build dist src/*.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- the environment

# The tour runs on 5 of the packages in pyproject.toml: the rest is the simulator's, the command line's and the figures'.
.venv/ready-for-tour: .venv/place pyproject.toml setup.py
	$(call install,installing what the tour needs,--no-deps --editable . $(tour_needs))
	@touch $@

.venv/ready-to-develop: .venv/place pyproject.toml setup.py
	$(call install,installing what freehold needs to run and to be tested,--editable '.[dev]')
	@touch .venv/ready-for-tour $@

# The peers have an environment of their own: freehold never needs what they need.
.venv-bench/ready: private python := .venv-bench/bin/python
.venv-bench/ready: .venv/place pyproject.toml setup.py
	@.venv/bin/python -m venv --clear .venv-bench
	$(call install,installing the peers of the benchmark in .venv-bench,--editable '.[bench]')
	@touch $@

# An environment knows its folder and its interpreter by absolute path: when either has moved, it is made again.
ifneq "$(shell { $(python) -c '' && cat .venv/place; } 2>/dev/null)" "$(CURDIR)"
.PHONY: .venv/place
endif

# Python 3.14 comes late: immutables has no wheel for it yet and would have to be compiled.
.venv/place:
	@if ! [ -w . ]; then \
		echo "freehold: you may not write to $$PWD: copy it to a folder of your own, with" \
			"'cp -r \"$$PWD\" ~/freehold', then run 'make $(goal)' there." >&2; \
		exit 1; \
	fi; \
	if [ -n "$$PYTHON" ]; then set -- "$$PYTHON"; \
	else set -- python3.13 python3.12 python3.11 python3 python3.14; fi; \
	for candidate in "$$@"; do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		"$$candidate" -c 'import ensurepip, venv' 2>/dev/null || { incomplete=$$version; continue; }; \
		echo "freehold: making .venv with Python $$version ($$(command -v "$$candidate"))"; \
		"$$candidate" -m venv --clear .venv && pwd -P >$@; \
		exit; \
	done; \
	if [ -n "$$incomplete" ]; then \
		echo "freehold: Python $$incomplete lacks its venv module: install it, on Debian or Ubuntu with" \
			"'sudo apt-get install python$$incomplete-venv', then run 'make $(goal)' again." >&2; \
	else \
		echo "freehold: Python 3.11 or newer is missing$${PYTHON:+ at $$PYTHON}: install it, on Debian or Ubuntu" \
			"with 'sudo apt-get install python3 python3-venv', or name it with" \
			"'make $(goal) PYTHON=/path/to/python3'." >&2; \
	fi; \
	exit 1

# $(call install,what is said,what pip is given): pip is heard only when it fails.
define install
	@echo "freehold: $(1)"
	@$(python) -m pip install --disable-pip-version-check --no-input $(2) >.venv/pip.log 2>&1 || { \
		tail -n 15 .venv/pip.log >&2; \
		if grep -Eq 'ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|from versions: none' .venv/pip.log; \
		then echo "freehold: pip has no network: connect, or set HTTPS_PROXY or PIP_INDEX_URL," \
			"then run 'make $(goal)' again." >&2; \
		else echo "freehold: pip failed, see above and .venv/pip.log: mend that, then run 'make $(goal)' again." >&2; \
		fi; exit 1; }
endef
