# make demo [IMAGES=~/Pictures] | make test | make check | make wheel

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
# A folder of your own images for the demo; quoted for the shell, so ~ is expanded here.
PHOTOS = $(if $(IMAGES),"$(patsubst ~/%,$(HOME)/%,$(IMAGES))")

.PHONY: demo test check lint types wheel clean

demo: $(VENV)/demo.done  ## the main job, end to end, on photographs; writes $(OUT)/report.html
	$(BIN)/lookalike demo $(PHOTOS) --out $(OUT)

test: $(VENV)/dev.done  ## the tests
	$(BIN)/python -m pytest

check: $(VENV)/dev.done lint types test  ## all that must pass before a change is merged

lint: $(VENV)/dev.done
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(VENV)/dev.done
	$(BIN)/mypy

wheel: $(VENV)/dev.done
	$(BIN)/python -m build --wheel

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lookalike needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip -c constraints.txt

$(VENV)/%.done: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) dist build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
