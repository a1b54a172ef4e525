# One list of commands; CI runs the same ones.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PORT ?= 8080
MAX_INSTANCES ?= 4
PYTHON := .venv/bin/python
PINNED := --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all:
GRIDWELL := $(PYTHON) -m gridwell
FAULTY := $(if $(FAULTS),--faults $(FAULTS)) $(if $(FAULTS_SEED),--faults-seed $(FAULTS_SEED))

.PHONY: help run up down test unit check simulate mutants chaos exactness abuse fuzz bench-kernels screenshots notebook settings sbom lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/ready ## start everything, submit the demo job, stay until Ctrl-C (ONCE=1: end after the answer; FAULTS=mild: on a bad day)
	@exec $(GRIDWELL) local up --demo --port $(PORT) --max-instances $(MAX_INSTANCES) $(if $(ONCE),--once) $(FAULTY)

up: .venv/ready ## start everything in the background
	@exec $(GRIDWELL) local up --detach --port $(PORT) --max-instances $(MAX_INSTANCES) $(FAULTY)

down: .venv/ready ## end what `make up` started
	@exec $(GRIDWELL) local down

test: .venv/ready .venv/testers ## run every test; says what was skipped and why
	@exec $(PYTHON) -m pytest

unit: .venv/ready ## run the tests that start no process and no server
	@exec $(PYTHON) -m pytest -m 'not system'

screenshots: .venv/ready .venv/testers ## take the pictures of docs/images again
	@exec $(PYTHON) -m tests.browser.screenshots

check: .venv/ready ## format, lint, types, import rules, prose, known vulnerabilities
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) scripts/prose.py
	$(PYTHON) scripts/audit.py

simulate: .venv/ready ## live through many seeds of faults in virtual time (SEEDS=300, or SEED=n TRACE=1)
	@exec $(PYTHON) -m tests.simulation $(if $(SEED),--seed $(SEED) $(if $(TRACE),--trace),--seeds $(or $(SEEDS),300))

mutants: .venv/ready ## plant each seeded bug and see that the simulator finds it (NAME=part of a name)
	@exec $(PYTHON) -m tests.simulation.hunt $(NAME)

chaos: .venv/ready ## kill a whole local stack's real processes while jobs run, some twenty minutes (KILLS=200, SEED=n)
	@exec $(PYTHON) -m tests.chaos --kills $(or $(KILLS),200) $(if $(SEED),--seed $(SEED))

exactness: .venv/ready ## try every kernel on 5,000 random and adversarial cases (CASES=)
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m tests.app_tier.kinds.grid.kernels.exactness $(or $(CASES),5000)

abuse: .venv/ready ## load and abuse one web process (SCENES="waiting slow rude deaf endless large knee")
	@exec $(PYTHON) -m tests.load $(SCENES)

fuzz: .venv/ready ## send requests generated from the API's description to a web process (REQUESTS=10000)
	@exec $(PYTHON) -m tests.load.fuzz --requests $(or $(REQUESTS),10000)

bench-kernels: .venv/ready ## measure the kernels: a table, benchmarks/kernels.csv and kernels.png
	@$(PYTHON) -m pip install $(PINNED) -r benchmarks/requirements.txt
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m benchmarks.kernels

notebook: .venv/ready ## execute the notebooks of docs/examples again, on a local stack of their own
	@$(PYTHON) -m pip install $(PINNED) -r docs/examples/requirements.txt
	@exec $(PYTHON) scripts/notebook.py

settings: .venv/ready ## write docs/reference/settings.md from the Settings classes
	@PYTHONPATH=. $(PYTHON) scripts/settings_page.py

sbom: .venv/ready ## print the release's bill of materials: the packages of its image (CycloneDX)
	@$(PYTHON) -m ami sbom

lock: .venv/ready ## pin every dependency of pyproject.toml again, in requirements.txt
	@exec scripts/lock.sh

clean: ## remove the environment and the local region
	rm -rf .venv .gridwell .chaos

.venv/testers: .venv/ready scripts/testers.sh
	@scripts/testers.sh

.venv/ready: requirements.txt scripts/setup.sh scripts/packages.sh pyproject.toml
	@scripts/setup.sh
