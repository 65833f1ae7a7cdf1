# make demo      the main job: ingest, train, backtest, release, serve, ask      (make demo ARGS=--exit ends after it)
# make test      every test
# make check     formatting, lint, types, import rules, doctests
# make bench     the long measurements, into docs/benchmarks/     (make bench-ingest, make bench-recommend: those alone)
# make references compare with other libraries, in an environment of their own
# make serve     the released models on localhost:3000
# make lock      resolve the dependencies again
# make clean     remove what the other targets made

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/ready
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = 1

.PHONY: demo test check references bench bench-ingest bench-recommend serve lock clean

demo: $(READY)
	$(BIN)/onebasket demo $(ARGS)

# a file's tests share what they set up, so that they stay together
test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q --doctest-modules features models training serving $(ARGS)

references: $(READY) .venv-references/ready
	$(BIN)/python -m pytest -q tests/references $(ARGS)

.venv-references/ready: pyproject.toml $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-references
	@$(BIN)/uv pip install --quiet --python .venv-references/bin/python --group references
	@touch $@

bench: $(READY)
	$(BIN)/python -m training.benchmarks $(ARGS)

bench-ingest: $(READY)
	$(BIN)/python -m training.benchmarks ingest ingest-scale sample-truth $(ARGS)

bench-recommend: $(READY)
	$(BIN)/python -m training.benchmarks recommend next-basket recommend-cost timing surfaces $(ARGS)

serve: $(READY)
	$(BIN)/onebasket serve $(ARGS)

# uv installs the locked set in well under a minute; pip alone took ten.
$(READY): pyproject.toml requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "OneBasket needs Python 3.11 or newer; $(PYTHON) is older. Say make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@$(MAKE) --no-print-directory $(BIN)/uv
	@$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements/dev.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(READY)

$(BIN)/uv:
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"

lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev --extra demo pyproject.toml -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements/dev.lock requirements/serving.in -o requirements/serving.lock

clean:
	rm -rf .venv .venv-references workspace dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
