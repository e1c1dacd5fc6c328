# Every target sets up what it needs: a virtual environment in .venv, and the packages in it.
# All it takes is make and Python 3.11 or newer. PYTHON=… names another interpreter.

PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$python"; break; }; done),python3)
VENV ?= .venv
PORT ?= 5000
# How many processes the tests use.
JOBS ?= auto
# What is installed beside the core: all that the demo and the tests use.
EXTRAS ?= all
# More arguments for pytest or for the benchmarks, as in: make test ARGS="-k session"
ARGS ?=

BIN := $(VENV)/bin
PY := $(BIN)/python
ERLEN := $(abspath $(BIN)/erlen)
PIP := $(PY) -m pip --quiet --disable-pip-version-check install

# Each of these files says that a group of packages is installed as pyproject.toml wants it.
BASE := $(VENV)/.installed-base
TEST := $(VENV)/.installed-test
LINT := $(VENV)/.installed-lint
DOCS := $(VENV)/.installed-docs
# The frameworks to compare with stay out of the environment of the tests.
BENCH := $(VENV)/bench/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench bench-http docs test-flask test-ecosystem dist clean setup
.DELETE_ON_ERROR:

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BASE) ## Serve the lending library of examples/shelf (PORT=5000).
	@cd examples/shelf && $(ERLEN) --app shelf init-db && $(ERLEN) --app shelf seed
	@echo
	@cd examples/shelf && $(ERLEN) --app shelf demo-accounts
	@echo "Mail, such as that to confirm a new account, shows here."
	@echo "Ctrl+C stops the server. If the port is taken: make demo PORT=5001"
	@echo
	@cd examples/shelf && exec $(ERLEN) --app shelf serve --bind 127.0.0.1:$(PORT)

test: $(TEST) $(LINT) ## Run the tests (ARGS="-k session" for some of them).
	$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(TEST) $(LINT) ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	cd examples/shelf && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml .
	cd docs/examples/potluck && $(abspath $(BIN))/mypy --config-file ../../../pyproject.toml .
	$(BIN)/pyright --pythonpath $(PY)

format: $(LINT) ## Bring the code into the project's format.
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(BENCH) ## Measure Erlen beside other frameworks (ARGS=--quick).
	$(VENV)/bench/bin/python -m benchmarks $(ARGS)

bench-http: $(BENCH) ## Measure servers over HTTP, with wrk on another core (ARGS="--only plain").
	$(VENV)/bench/bin/python -m benchmarks.http $(ARGS)

docs: $(DOCS) ## Build the documentation into docs/_build/html.
	$(PY) -m sphinx -E -a -W --keep-going --quiet -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test-flask: $(TEST) ## Run the tests of Flask and of its extensions against Erlen.
	$(PY) -m tests.flask_suite.run
	$(PY) -m tests.flask_suite.db
	$(PY) -m tests.flask_suite.wtf
	$(PY) -m tests.flask_suite.login
	$(PY) -m tests.flask_suite.migrate

test-ecosystem: $(TEST) ## Run published Flask extensions on Erlen.
	$(PY) -m tests.ecosystem.run

dist: $(LINT) ## Build the wheel and the source distribution into dist/.
	rm -rf dist
	$(PY) -m build --outdir dist

setup: $(TEST) $(LINT) $(DOCS) ## Make .venv with everything for development.

clean: ## Remove what the targets made, .venv included.
	rm -rf $(VENV) .cache dist build docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment. Debian keeps `venv` in a package of its own.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Erlen needs Python 3.11 or newer; $(PYTHON) is older or missing." \
			"Name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." \
			"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade 'pip>=25.1'

$(BASE): $(VENV)/pyvenv.cfg pyproject.toml
	@echo "Installing Erlen into $(VENV)"
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(TEST) $(LINT) $(DOCS): $(VENV)/.installed-%: $(BASE)
	@echo "Installing what the target needs into $(VENV): $*"
	@$(PIP) --group $*
	@touch $@

$(BENCH): $(VENV)/pyvenv.cfg pyproject.toml
	@echo "Installing the frameworks to compare with into $(VENV)/bench"
	@$(PY) -m venv $(VENV)/bench
	@$(PY) -m pip --quiet --disable-pip-version-check --python $(VENV)/bench/bin/python \
		install --editable '.[server]' --group bench
	@touch $@
