# What a newcomer types. Everything is installed into .venv beside this file; the rest of the machine stays
# as it is, but for Chromium and poppler-utils, which `make test` installs where it is root.
#
#   make demo    the main job from end to end, on real data        make serve   the demo's data in the browser
#   make test    the test suite                                    make prove   the long proofs
#   make lint    style, types, import floors                       make docs    the documentation as a site
#   make lock    resolve the dependencies anew                     make clean   remove what was made here
#
# Another interpreter: make PYTHON=/path/to/python3.12 demo

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test prove serve lock docs lint clean FORCE

PYTHON ?= python3
WORKERS ?= 2
PYTEST ?=
UV := uv==0.13.9
ROOMS := policies explainers audit model_registry governance reports api

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export NO_MKDOCS_2_WARNING := 1

# A tree that was moved or copied keeps a virtual environment that points to where it was: install again.
MOVED := $(shell test "$$(cat .venv/.here 2>/dev/null)" = "$$(pwd -P)" || echo FORCE)

help:
	@sed -n '4,7s/^# *//p' Makefile

demo: .venv/.installed-demo
	@.venv/bin/mingjing demo

serve: .venv/.installed-demo
	@test -e "$${MINGJING_DATA:-mingjing-data}" || .venv/bin/mingjing demo
	@.venv/bin/mingjing serve

test: .venv/.installed-test
	@.ci/system-packages
	.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile -m "not long" $(PYTEST)

prove: .venv/.installed-test
	@.ci/system-packages
	.venv/bin/python -m pytest -m long $(PYTEST)
	@.ci/prove

lint: .venv/.installed-test
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy $(addprefix -p ,$(ROOMS))
	.venv/bin/lint-imports

docs: .venv/.installed-test
	.venv/bin/python -m mkdocs build --strict

# uv.lock names the index it read from, so it stays here; what is committed are the exports without addresses.
lock: .cache/tools/bin/uv
	.cache/tools/bin/uv lock
	@for extra in edge demo test; do \
	  .cache/tools/bin/uv export --quiet --frozen --no-emit-project --no-header --no-annotate \
	    --extra $$extra --output-file requirements/$$extra.txt || exit 1; \
	done

clean:
	rm -rf .venv .cache site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@.ci/create-venv "$(PYTHON)"

.venv/.installed-%: requirements/%.txt pyproject.toml $(MOVED) | .venv/bin/python
	@echo "Installing what requirements/$*.txt locks (a few minutes the first time) ..."
	@.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements/$*.txt
	@.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@pwd -P > .venv/.here
	@touch $@

.cache/tools/bin/uv: | .venv/bin/python
	@.venv/bin/python -m venv .cache/tools
	@.cache/tools/bin/python -m pip install --quiet "$(UV)"
