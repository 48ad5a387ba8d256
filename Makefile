# There is one environment, .venv. `make setup` installs the core in it; `make test` adds training
# and the checks. Stamp files in it say which lock files it holds. So a second run does nothing, and
# a changed lock file is installed.

PYTHON ?= python3
BIN := .venv/bin
CORE := .venv/core.stamp
DEV := .venv/dev.stamp
TORCH := torch==2.13.0
# Folders of recordings without events, separated by spaces. `make model` sets its sounds into them.
BACKGROUNDS ?=
comma := ,
space := $(subst ,, )
REAL_BACKGROUNDS = --set 'data.backgrounds=[$(subst $(space),$(comma),$(strip $(BACKGROUNDS)))]'
# `make model GPU=1` trains on one graphics card: larger batches, in bfloat16, more scenes; all
# processor cores simulate scenes.
GPU ?=
ON_GPU = --set devices=1 --set batch_size=64 --set workers=$(shell nproc) --set data.scenes=24000
FOR_GPU = $(if $(GPU),$(ON_GPU))
TRAIN = $(BIN)/loxo train --config configs/tcn.yaml --resume $(REAL_BACKGROUNDS) $(FOR_GPU)
# Recordings like those of a forest where elephants live, to calibrate scores: an event of each label
# in four minutes, another sound a minute.
FOREST := --rate 4000 --hours 1 --events-per-hour 15 --lookalikes-per-hour 60

# With -qq, pip prints errors only. Modules are compiled after installation: where Python may not
# write bytecode, as in many containers, it would compile them again at each start.
INSTALL := -m pip install -qq --disable-pip-version-check
FREEZE := -m pip freeze --all --exclude-editable --exclude pip

.PHONY: help setup demo test check bench model lock clean
.DELETE_ON_ERROR:

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

setup: $(CORE) ## install what detection needs

demo: $(CORE) ## simulate a recording, detect in it, compare with the truth
	$(BIN)/loxo simulate --output demo/recordings --hours 0.5 --seed 7
	$(BIN)/loxo detect demo/recordings --output demo/detections --draw
	$(BIN)/loxo evaluate --truth demo/recordings --detections demo/detections \
		--json demo/evaluation.json

test: $(DEV) ## run all tests
	$(BIN)/python -m pytest

check: $(DEV) ## lint, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(DEV) ## measure the speed and memory of detection, and the cost of cutting clips
	$(BIN)/python benchmarks/detection.py
	$(BIN)/python benchmarks/front_end.py
	$(BIN)/python benchmarks/floors.py
	$(BIN)/python benchmarks/preparation.py

model: $(DEV) ## train the packaged model again, and calibrate it
	$(TRAIN)
	$(BIN)/loxo simulate --output data/calibration --recordings 60 $(FOREST) --seed 5000 \
		$(addprefix --background ,$(BACKGROUNDS))
	$(BIN)/loxo calibrate runs/tcn/model --recordings data/calibration \
		--truth data/calibration \
		--false-positives-per-hour Rumble=8 --false-positives-per-hour Gunshot=5

$(CORE): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"loxo needs Python 3.11 or later; name it: make PYTHON=python3.11")'
	@echo 'installing the core into .venv'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(INSTALL) --requirement requirements.txt
	@$(BIN)/python $(INSTALL) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(DEV): requirements-dev.txt $(CORE)
	@echo 'installing training and the checks into .venv'
	@$(BIN)/python $(INSTALL) --requirement requirements-dev.txt
	@touch $@

LOCKS := build/locks
lock: ## write the lock files again, from the ranges in pyproject.toml
	rm -rf $(LOCKS)
	$(PYTHON) -m venv $(LOCKS)/all
	$(LOCKS)/all/bin/python $(INSTALL) $(TORCH) setuptools --editable '.[dev]'
	$(LOCKS)/all/bin/python $(FREEZE) | sed 's/+cpu$$//' | LC_ALL=C sort -f > $(LOCKS)/all.txt
	@! grep -E '^(nvidia|cuda|triton)' $(LOCKS)/all.txt || { \
		echo 'make lock: pip took a CUDA build of torch; see CONTRIBUTING.md, Lock files' >&2; false; }
	$(PYTHON) -m venv $(LOCKS)/core
	$(LOCKS)/core/bin/python $(INSTALL) --constraint $(LOCKS)/all.txt setuptools --editable .
	$(LOCKS)/core/bin/python $(FREEZE) | LC_ALL=C sort -f > $(LOCKS)/core.txt
	{ echo '# The core, and setuptools to install loxo itself: made by `make lock`, not by hand.'; \
	  cat $(LOCKS)/core.txt; } > requirements.txt
	{ echo '# Training and the gates, with the CPU build of torch: made by `make lock`,' \
	  'not by hand.'; echo '-r requirements.txt'; \
	  grep -vxFf $(LOCKS)/core.txt $(LOCKS)/all.txt; } > requirements-dev.txt

clean: ## remove all that make made, except data and training runs
	rm -rf .venv demo build dist .hypothesis .*_cache src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
