# `make run` starts the demo, and `make test` runs the tests. Both create the environment first.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
MANAGE := DEBUG=1 $(BIN)/python manage.py

.PHONY: run test bench lint format wheel clean

run: $(INSTALLED)  ## migrate both databases, load the demo course, serve learner page and admin
	$(MANAGE) migrate --verbosity 0
	$(MANAGE) migrate --verbosity 0 --database student_module_history
	$(MANAGE) load_demo --site http://127.0.0.1:$(PORT)
	$(MANAGE) runserver 127.0.0.1:$(PORT)

test: $(INSTALLED)  ## run the suite on SQLite and on every server that answers, with coverage
	$(BIN)/python -m tests $(TEST_ARGUMENTS)

bench: $(INSTALLED)  ## compare with hand-written SQL and other packages, on PostgreSQL or on DATABASE_URL
	$(BIN)/python -m bench $(BENCH_ARGUMENTS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(INSTALLED)
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) var build dist *.egg-info .coverage* .mypy_cache .ruff_cache

# pip compiles mysqlclient. Without MariaDB's headers, only the tests on MariaDB are missing.
$(INSTALLED): setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[mysql]' \
		|| echo 'mysqlclient was not installed: the tests will not run on MariaDB (Debian: apt-get install libmariadb-dev pkg-config)'
	touch $(INSTALLED)
