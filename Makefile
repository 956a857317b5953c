# The verbs of the project. `make install`, `make demo` and `make test` need nothing but Debian or Ubuntu,
# Python 3.11 or newer, and (for the lab) root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := build/tools
UV := $(TOOLS)/bin/uv
UV_VERSION := 0.13.9

PROPERTIES := tests/steps/test_safety.py tests/steps/test_tenants.py

.DEFAULT_GOAL := help
.PHONY: help install lab-install demo demo-sim up down test proof test-fast bench bench-plans bench-looks fmt lint type schemas reference pictures docs wheel lock clean

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed   ## .venv with the escalator command; Debian packages where they lack

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "installing Debian's python3-venv"; apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv; }
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install -q uv==$(UV_VERSION)

$(VENV)/.installed: requirements-dev.lock pyproject.toml | $(UV)
	$(UV) venv -q --allow-existing --no-python-downloads --python $(PYTHON) $(VENV)
	$(UV) pip sync -q --compile-bytecode -p $(VENV) requirements-dev.lock
	$(UV) pip install -q --no-deps -p $(VENV) -e .
	@touch $@
	@echo "installed: $(BIN)/escalator"

lab-install: install   ## the lab's Debian packages, its virtual environment, and what is under its nodes' disks
	$(BIN)/escalator lab install

demo: install    ## the main job on real guests: three nodes, Nova 33 -> 34, QEMU 7 -> 10, libvirt 9 -> 11 by apt, rebooted
	$(BIN)/escalator demo --hypervisor qemu

demo-sim: install    ## the quick one: four nodes of a real OpenStack whose guests are files, Nova 33 -> 34
	$(BIN)/escalator demo

up: install      ## lab and Airflow of demo-sim left running, for you: docs/demo.md, Look around
	$(BIN)/escalator demo --keep --no-campaign

down: install    ## end what `make up`, or a demo with --keep, left running
	$(BIN)/escalator demo --down

test: install    ## everything: style, types, unit, lab, scheduler
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/escalator lab install --hypervisor qemu
	@for tool in sudo chromium; do command -v $$tool >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$tool; } || echo "no $$tool: its tests are skipped"; done
	$(BIN)/pytest -n 2 --dist loadscope

proof: install   ## what is longer than a test may take: the six use cases, lives of nodes by the hundred, two installations on one cloud, VNFs of every kind
	$(BIN)/escalator lab install --hypervisor qemu
	ESCALATOR_DRAWN_TIMES=10 $(BIN)/pytest -n 2 $(PROPERTIES)
	$(BIN)/pytest --proof -n 2 --dist loadscope

test-fast: install   ## the pure part only
	$(BIN)/pytest -m "not airflow and not lab and not stack"

bench: install   ## own overhead, API calls, parse time, beside a serial loop
	$(BIN)/python benchmarks/run.py

bench-plans: install   ## plans of made-up fleets against bounds and other ways; writes docs/performance.md
	$(BIN)/python benchmarks/decide.py
	$(BIN)/python benchmarks/plans.py

bench-looks: install   ## what campaigns at rest cost a Nova of 500 nodes and 20,000 servers; writes docs/performance.md
	$(BIN)/python benchmarks/looks.py

fmt: install     ## format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install    ## style and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

type: install    ## types
	$(BIN)/mypy

schemas: install ## JSON schemas for editors, made from the models that read the documents
	$(BIN)/python -m escalator.schemas

reference: install ## docs/reference, made from the code: parameters, verbs, settings, formats, routes
	$(BIN)/python -m docs.tools.make_reference

pictures: install ## docs/images/board*.png, the board of a recorded campaign as a browser shows it
	PYTHONPATH=include:plugins $(BIN)/python -m tests.plugins.board.pictures docs/images

docs: install pictures ## the documents as a site, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: install   ## the package as a file, build/escalator-*.whl
	$(BIN)/hatchling build --target wheel --directory build

lock: $(UV)      ## resolve the dependencies anew
	$(UV) pip compile -q --universal --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.lock
	$(UV) pip compile -q --universal --no-header --no-annotate --python-version 3.11 pyproject.toml --group dev -o requirements-dev.lock

clean:           ## what was built here
	rm -rf build $(VENV)
