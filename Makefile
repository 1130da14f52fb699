# make run    set up and do the main job on the embedded sample
# make test   set up and run the whole test suite
# make bench  measure speed: a table, and build/bench.json (docs/performance.md)
# make test-ray   set up Ray and run the tests that need a cluster
# make test-llm   set up a vLLM environment and run the tests that need a real server
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PYTEST_FLAGS ?= -n auto --dist loadscope

.PHONY: run test bench lint setup setup-order clean chaos fuzz mutants coverage test-matrix test-anywhere

run: $(READY)
	$(BIN)/erc-bench run --system sentemocontext --dataset sample
	$(BIN)/erc-bench leaderboard

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_FLAGS) -m "not llm and not ray"

# Kills and other faults on the real command line; writes the tables of docs/reliability.md.
KILLS ?= 200
chaos: $(READY)
	$(BIN)/python tests/chaos/chaos.py --kills $(KILLS) --report docs/reliability.md

# At most FUZZ_SECONDS a target.
FUZZ_RUNS ?= 1000
FUZZ_SECONDS ?= 60
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]' --no-build-isolation
	$(BIN)/python tests/fuzz/fuzz.py --runs $(FUZZ_RUNS) --seconds $(FUZZ_SECONDS)

# Mistakes put into scoring on purpose; ends with 1 where one survives that tests/mutants/explained.toml does not explain.
MUTANTS_FLAGS ?=
mutants: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mutants]' --no-build-isolation
	$(BIN)/python tests/mutants/mutants.py $(MUTANTS_FLAGS)

# Statements and branches that the whole test suite takes; ends with 1 below 95%.
coverage: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[coverage]' --no-build-isolation
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_FLAGS) -m "not llm and not ray" --cov --cov-report=term:skip-covered

# The lowest and the newest versions that pyproject.toml allows, on every Python from 3.11 to 3.13 that is found.
test-matrix: $(READY)
	$(BIN)/python tests/matrix.py

# The tests in random order, without rights, on one core, in a strange folder, from an empty home: tests/anywhere.py.
test-anywhere:
	$(PYTHON) tests/anywhere.py --python $(PYTHON)

setup-order: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[order]' --no-build-isolation

bench: $(READY)
	$(BIN)/python tests/benchmarks/run_all.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(READY)

# constraints.txt pins exact versions; torch comes first so that nothing else can choose another build of it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip setuptools torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-build-isolation --editable '.[dev,offline]'
	touch $(READY)

clean:
	rm -rf $(VENV) .venv-vllm .venv-ray models build dist *.egg-info

include tests/e2e/llm.mk
include tests/e2e/ray.mk
