# `make run` starts the demo, and `make test` runs the tests. Each creates the environment that it needs first.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --quiet --disable-pip-version-check
DEMO := $(VENV)/.demo
INSTALLED := $(VENV)/.installed
RELEASE := $(VENV)/.release
MANAGE := DEBUG=1 $(BIN)/python manage.py

.PHONY: run test bench docs lint format wheel release-check clean

run: $(DEMO)  ## migrate both databases, load the demo course, serve learner page and admin
	$(MANAGE) migrate --verbosity 0
	$(MANAGE) migrate --verbosity 0 --database student_module_history
	$(MANAGE) load_demo --site http://127.0.0.1:$(PORT)
	$(MANAGE) runserver 127.0.0.1:$(PORT)

test: $(INSTALLED)  ## run the suite on SQLite and on every server that answers, with coverage
	$(BIN)/python -m tests $(TEST_ARGUMENTS)

bench: $(INSTALLED)  ## compare with hand-written SQL and other packages, on PostgreSQL or on DATABASE_URL
	$(BIN)/python -m bench $(BENCH_ARGUMENTS)

docs: $(INSTALLED)  ## build the site of the documentation in build/site; a warning is an error
	$(BIN)/python -m sphinx -E -W -n --keep-going -q docs build/site

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(INSTALLED)
	$(BIN)/python -m build --wheel

release-check: $(RELEASE)  ## build and check a release without uploading it
	$(BIN)/python release.py $(RELEASE_ARGUMENTS)

clean:
	rm -rf $(VENV) var build dist *.egg-info .coverage* .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer with the module venv is required, and '$(PYTHON)' is not such a Python."; \
		echo "Name one: make PYTHON=python3.12 ... (Debian: apt-get install python3-venv)"; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)

$(DEMO): setup.py | $(BIN)/python
	$(PIP) --editable '.[demo]'
	touch $@

# pip compiles mysqlclient, and a failed compilation prints its whole output. Only the tests on MariaDB need it.
$(INSTALLED): setup.py | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@if command -v cc && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; }; \
	then $(PIP) --editable '.[mysql]'; else false; fi >$(VENV)/mysqlclient.log 2>&1 \
		|| echo 'Without mysqlclient, the tests do not run on MariaDB (Debian: apt-get install build-essential pkg-config libmariadb-dev)'
	touch $(DEMO) $@

$(RELEASE): $(INSTALLED)
	$(PIP) --editable '.[release]'
	touch $@
