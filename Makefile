# `make demo` runs the main job, `make test` all tests; both install what they need (as root, Debian 12).
PY := .venv/bin/python
STAMP := .venv/.installed

.PHONY: help check lint types unit test demo lab stub lock clean
help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(STAMP): requirements.lock pyproject.toml tools/system-packages
	@tools/system-packages build
	@test -x $(PY) || python3 -m venv .venv
	@.venv/bin/pip install -q --require-hashes -r requirements.lock
	@.venv/bin/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

check: $(STAMP) ## lint, types, and the tests that need neither root nor the lab (under 60 s)
	@$(MAKE) --no-print-directory -j2 lint types
	@$(MAKE) --no-print-directory unit

lint: $(STAMP)
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports --config pyproject.toml --no-cache

types: $(STAMP)
	@.venv/bin/mypy

unit: $(STAMP)
	@$(PY) -m pytest -q -m 'not lab and not root'

test: $(STAMP) ## every test, the lab's too
	@tools/system-packages lab
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -q -m 'lab or root' --durations=10

lock: ## resolve the dependencies anew
	@.venv/bin/pip install -q pip-tools
	@for lock in "requirements.lock --extra=dev --extra=provisioner" "requirements-node.lock -c requirements.lock"; do \
	  .venv/bin/pip-compile -q --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host --strip-extras -o $$lock pyproject.toml; done

clean: ## remove what builds made here (not the lab's cache)
	@rm -rf build .mypy_cache .ruff_cache
