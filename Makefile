# The commands of this repository. `make demo` shows it, `make test` proves it.
# PYTHON=/path/to/python3.12 chooses the Python; else the first of this machine that fits is taken.

.DEFAULT_GOAL := help
.PHONY: help env demo-env test-env bench-env demo up test test-long bench lint requirements docs clean
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Any Python can start the set-up: it looks for one that fits, or says which are wanted.
STARTER := $(firstword $(foreach name,$(PYTHON) python3 python3.13 python3.12 python3.11 python3.14 python,$(shell command -v $(name) 2>/dev/null)))
SET_UP = @$(if $(STARTER),$(STARTER) -m scripts.setup_env --python "$(PYTHON)",echo "Nakoming needs Python 3.11, 3.12, 3.13 or 3.14 and there is none: install it (on Debian: apt-get install python3 python3-venv)" >&2; exit 1;)
# Several files at a time; a file's tests stay together so that its servers are started once. In our own order,
# in which those that take long come first; by number of tests, which is xdist's, one of them runs alone at the end.
PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
# One more than there are cores, for they wait for servers some of their time; more than four would start more
# servers than they save time.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -ge 4 ] && echo 4 || echo $$((n + 1)))

help:
	@echo "make demo       a real request for change, from the question to production (WAIT=0 ends by itself)"
	@echo "make up         the same system without the play, until Ctrl-C"
	@echo "make test       all tests but the long ones; ARGS='-k name' chooses"
	@echo "make test-long  the long ones: the whole kill matrix, the races"
	@echo "make bench      the figures; ONLY=name for one"
	@echo "make lint       the checks of style, types and architecture"
	@echo "make env        the environment alone; PYTHON=/path/to/python3.12 chooses"
	@echo "make requirements | docs | clean"

env:
	$(SET_UP) --for runtime

test-env:
	$(SET_UP) --for test
	@$(BIN)/python -m scripts.install_test_packages

demo-env:
	$(SET_UP) --for demo

demo: demo-env
	@$(BIN)/nakoming demo $(if $(filter 0,$(WAIT)),--no-wait)

up: env
	@$(BIN)/nakoming up

test: test-env
	@$(PYTEST) -m "not long" $(ARGS)

test-long: test-env
	@$(BIN)/python -m pytest -m long --timeout 3600 $(ARGS)

bench-env:
	$(SET_UP) --for bench
	@$(BIN)/python -m scripts.install_test_packages

bench: bench-env
	@$(BIN)/python -m bench $(ONLY)

lint: test-env
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

requirements:
	@$(STARTER) -m scripts.compile_requirements "$(UV)"

docs: env
	@$(BIN)/python -m scripts.generate_docs

clean:
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
