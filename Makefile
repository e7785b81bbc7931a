# Everything runs from a virtual environment that this file makes. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PLAYER := src/headrace/lab/player/vendor/hls.min.js
TEST_PLAYERS := tests/e2e/players/vendor/hls.js

# Material for MkDocs advertises its successor on every build.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help demo lab test fuzz bench bench-quick lint format docs serve-docs sample pictures hooks lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) $(PLAYER) ## play real video through a network on this machine
	@$(BIN)/headrace demo

lab: $(STAMP) ## build a network of two ISPs in network namespaces, to be broken (as root)
	@scripts/install-lab-tools $(BIN)
	@$(BIN)/headrace lab up $(if $(TOPOLOGY),--topology $(TOPOLOGY))

test: $(STAMP) $(PLAYER) $(TEST_PLAYERS) ## run lint, types, import contracts, docs and all tests
	@scripts/install-test-tools
	@scripts/test $(BIN)

fuzz: $(STAMP) ## fuzz what strangers can send (a minute each; FUZZ_SECONDS in all, FUZZ_INPUTS, FUZZ_TARGETS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz run $(FUZZ_TARGETS) \
		$(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS)) \
		$(if $(FUZZ_INPUTS),--inputs $(FUZZ_INPUTS)) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

bench: $(STAMP) ## compare with other servers, and write pages of docs/benchmarks (half an hour)
	@scripts/install-bench-peers
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements/bench.txt
	$(BIN)/python -m bench.speed --output docs/benchmarks
	$(BIN)/python -m bench.routing --output docs/benchmarks/redirects.md
	$(BIN)/python -m bench.dns --output docs/benchmarks/dns.md
	$(BIN)/python -m bench.balance

bench-quick: $(STAMP) ## what one minute can tell of it, and how sure that is; printed only
	@scripts/install-bench-peers
	$(BIN)/python -m bench.speed --quick

lint: $(STAMP) ## check style, types and import contracts
	@scripts/check $(BIN)

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix --exit-zero --quiet src tests bench scripts
	$(BIN)/ruff format src tests bench scripts

docs: $(STAMP) ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

serve-docs: $(STAMP) ## read the documentation in a browser, rebuilt as it changes
	$(BIN)/mkdocs serve

sample: $(STAMP) ## make the sample video again (needs ffmpeg)
	$(BIN)/python scripts/make_sample.py

pictures: $(STAMP) ## draw again what the documentation shows of the code
	$(BIN)/python scripts/draw_floors.py
	$(BIN)/python scripts/draw_steps.py
	$(BIN)/python scripts/draw_states.py

hooks: ## check the subject of each commit that is made here
	git config core.hooksPath scripts/hooks

lock: $(STAMP) ## resolve the dependencies again
	@scripts/lock $(BIN)

clean: ## remove what was built or installed
	rm -rf $(VENV) site build dist src/headrace/lab/player/vendor src/headrace/lab/player/node_modules
	rm -rf tests/e2e/players/vendor tests/e2e/players/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml $(wildcard requirements/*.txt) scripts/install
	@scripts/install $(PYTHON) $(VENV)
	@touch $@

$(PLAYER): src/headrace/lab/player/package-lock.json scripts/install-player $(STAMP)
	@scripts/install-player $(BIN)
	@touch $@

$(TEST_PLAYERS): tests/e2e/players/package-lock.json scripts/install-test-players $(STAMP)
	@scripts/install-test-players $(BIN)
	@touch $@
