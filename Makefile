# make demo    install on this machine and read the emotion of a face in a picture
# make test    install everything and run the tests
# make dist    the wheel and the source distribution, in dist/
# make check   what CI runs: lint, types, tests
# make PYTHON=python3.13 …   with a Python of your choice

PYTHON ?=
BIN := .venv/bin

.PHONY: demo test lint types check format dist clean

demo: .venv/device
	$(BIN)/edge-fer run benchmarks/collins.jpg --no-show --save demo/collins.jpg --jsonl demo/collins.jsonl
	@echo "Look at demo/collins.jpg; the same as data: demo/collins.jsonl"

test: .venv/dev
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow an editable install's import hook, so it reads an installed copy.
types: .venv/dev
	rm -rf build/types
	$(BIN)/python -m pip install --quiet --no-deps --target build/types .
	MYPYPATH=build/types $(BIN)/mypy -p edge_fer

check: lint types test

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/bin/python:
	deploy/system-libraries.sh
	@# Looked for only now: the line above may just have installed it.
	@python="$(PYTHON)"; python="$${python:-$$(deploy/find-python.sh)}"; \
	if [ -z "$$python" ]; then \
	    echo "edge-fer needs Python 3.11, 3.12 or 3.13; Debian: apt install python3 python3-venv"; \
	    exit 1; \
	fi; \
	"$$python" -m venv .venv

.venv/device: .venv/bin/python pyproject.toml
	@echo "Installing edge-fer into .venv"
	$(BIN)/python -m pip install --quiet -e '.[mediapipe]'
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	@echo "Installing edge-fer with TensorFlow and the development tools into .venv: some minutes"
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@# By itself it would bring a second TensorFlow.
	$(BIN)/python -m pip install --quiet --no-deps 'tf-keras>=2.21,<2.22'
	touch $@ .venv/device

dist: .venv/dev
	PYTHON=$(BIN)/python deploy/build.sh

clean:
	rm -rf .venv build dist demo *.egg-info
