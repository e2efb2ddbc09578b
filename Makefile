# The commands of this project. `make run` and `make test` need Python 3.11 or newer
# and make, nothing else.

PYTHON := .venv/bin/python
# Many tests wait for an Engine: two processes more than there are processors.
JOBS = $$(( $$(getconf _NPROCESSORS_ONLN) + 2 ))
QUICK := tests/api tests/limits tests/judge tests/file tests/http tests/evidence tests/logs tests/learning tests/review
NOT_QUICK = $(filter-out $(QUICK),$(sort $(patsubst %/,%,$(dir $(wildcard tests/*/test_*.py))))) $(wildcard tests/test_*.py)
MARKS := not clients and not slow
# Few files have tests with such marks: no process need read the others.
marked = $$(grep -rlE --include='test_*.py' 'mark\.($(subst $(SPACE)or$(SPACE),|,$1))' tests | sort)
SPACE := $(subst ,, )
LONG := deep
MEASURED :=
PYTEST = $(if $(MEASURED),.venv/bin/coverage run,$(PYTHON)) -m pytest
# Images with Python in them set it: each process that runs tests would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

.PHONY: run
run: .venv/installed ## show the main job: learn a client, enforce what was learned
	@$(PYTHON) -m demo

# While mypy works pytest compiles the tests: once, and not in each process that runs them.
.PHONY: test
test: .venv/installed-dev packages ## lint, types, layers and all tests but the slow ones
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy & $(PYTHON) -m pytest --collect-only -q >/dev/null; wait $$!
	.venv/bin/lint-imports
	$(if $(MEASURED),.venv/bin/coverage erase)
	$(PYTEST) -n $(JOBS) --dist worksteal -m "$(MARKS)" --ignore=tests/image --ignore=tests/release
	$(if $(MEASURED),.venv/bin/coverage combine --quiet)
	$(if $(MEASURED),.venv/bin/coverage report)

# Of what the tests start, those processes are measured that say so (tests/measured.py).
# What `make test-deep` looks at in full is not looked at in part before.
.PHONY: coverage
coverage: MEASURED := yes
coverage: MARKS := not clients and not deep
coverage: test ## the same with the slow ones, and how much of the program is run: at least 95 of 100

.PHONY: quick
quick: .venv/installed-dev ## what fails most often, in a minute: lint, types, layers, tests without I/O
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m pytest -q -n auto --dist worksteal -m "not slow and not deep" --hypothesis-profile=quick $(QUICK)
	@echo 'Left out, see make test: what is marked slow or deep, and $(NOT_QUICK)' | fold -s -w 80

# Both in one go: no processor waits for the last one of either.
.PHONY: ci
ci: LONG := deep or clients
ci: coverage test-deep test-image package reports ## what CI runs

.PHONY: test-deep
test-deep: .venv/installed-dev packages ## the tests of which `make test` shortens the search, in full
	DEPTH=deep $(PYTHON) -m pytest -n $(JOBS) --dist worksteal -m "$(LONG)" $(call marked,$(LONG))

.PHONY: attacks
attacks: .venv/installed-dev packages ## each known attack 200 times through limited files, and once through 77; an hour or two
	DEPTH=whole $(PYTHON) -m pytest -n $(JOBS) --dist worksteal -o faulthandler_timeout=0 tests/end_to_end/test_attacks.py tests/end_to_end/test_worth.py

.PHONY: image
image: .venv/made ## build the image; IMAGE and BASE_IMAGE may be set
	@scripts/build-image

.PHONY: test-image
test-image: .venv/installed-dev packages ## build and run the image and the examples
	$(PYTHON) -m pytest -n $(JOBS) --dist worksteal tests/image

.PHONY: package
package: .venv/installed-dev packages sbom ## build what is published into dist and release, and check it
	JUST_BUILT=yes $(PYTHON) -m pytest -q -n $(JOBS) --dist loadfile tests/release

.PHONY: sbom
sbom: .venv/made ## build them, with what they are made of (SBOM), and check nothing
	@PYTHON=$(PYTHON) scripts/build-dist

.PHONY: lock
lock: .venv/made ## pin again, at its newest, what the image is made of
	@scripts/lock

.PHONY: format
format: .venv/installed-dev ## bring the source into its form
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

.PHONY: fuzz
fuzz: .venv/installed-dev ## fuzz the parsers for two minutes
	@$(PYTHON) -m pip install --quiet --group fuzz
	$(PYTHON) -m fuzz.fuzz_heads
	$(PYTHON) -m fuzz.fuzz_bodies

.PHONY: bench
bench: .venv/installed-dev packages ## measure beside HAProxy; options: make bench BENCH='--only list-*'
	$(PYTHON) -m bench $(BENCH)

.PHONY: cost
cost: .venv/installed-dev ## what commands cost on long lists, and answers that are judged; some: make cost COST='--kinds binds'
	$(PYTHON) -m tests.cost $(COST)
	$(PYTHON) -m tests.learningcost
	$(PYTHON) -m tests.answercost

.PHONY: flood
flood: .venv/installed-dev ## hostile clients, and another one; options: make flood FLOOD='--tree ../old --check'
	$(PYTHON) -m bench.flood $(FLOOD)

.PHONY: soak
soak: .venv/installed-dev packages ## ten minutes of mixed clients and faults; options: make soak SOAK='--minutes 60'
	$(PYTHON) -m tests.soak $(SOAK)

.PHONY: test-clients
test-clients: .venv/installed-dev packages ## the full matrix of real clients
	$(PYTHON) -m pytest -n $(JOBS) --dist worksteal -m clients $(call marked,clients)

.PHONY: learned
learned: .venv/installed-dev packages ## learn the profiles anew; some: make learned PROFILES="kind glances"
	@$(PYTHON) -m tests.learned $(PROFILES)
	@scripts/describe-learned HEAD

.PHONY: twice
twice: .venv/installed-dev packages ## everyday sessions and clients without a file, learned twice and moved; ten minutes
	$(PYTHON) -m tests.learned.twice $(SESSIONS)

.PHONY: derived
derived: .venv/installed-dev ## write anew what follows from the table of operations, and name it
	@$(PYTHON) -m tests.derived

.PHONY: reports
reports: .venv/installed-dev ## write example reports into reports/
	@$(PYTHON) -m tests.reports reports

.PHONY: recording
recording: .venv/installed-dev ## record `make run` anew, as the picture in README.md
	@$(PYTHON) -m tests.recording

.PHONY: packages
packages: # as root on Debian: what the tests use
	@scripts/install-packages

.PHONY: clean
clean: ## remove what these commands made
	rm -rf .venv wheelhouse .cache/clients .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist release reports

.venv/made: scripts/make-venv
	@scripts/make-venv
	@touch $@

# Editable: a change of the source needs no new installation, one of its needs does.
.venv/installed: .venv/made pyproject.toml
	@$(PYTHON) -m pip install --quiet --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	@$(PYTHON) -m pip install --quiet --group dev
	@touch $@
