# One word for each thing to do. Every target sets the environment up first; a finished set-up is reused.
# PYTHON=/path/to/python3.11 names the interpreter the environment is made from.

PY := .venv/bin/python

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup quickstart test lint bench mechanism lite clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with every package in its verified version
	@bash tools/setup_env.sh

quickstart: setup ## see all of ProCrop at work on toy data, on a CPU
	$(PY) tools/quickstart.py

test: setup ## run the tests, a process per core (at most four), one thread each
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: setup ## check style, imports, type hints and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: setup ## measure the model's cost against Conditional DETR
	$(PY) tools/benchmarks/model.py

mechanism: setup ## measure what the references add, on hidden-style data (long)
	$(PY) tools/mechanism.py

# Photos to train on, and the seed; make lite PHOTOS=... SEED=... takes others.
PHOTOS ?= data/lite/photos
SEED ?= 0
LITE_RUN = work_dirs/procrop_lite_seed$(SEED)
OR_LEFT_OUT = || [ $$? -eq 1 ] # exit code 1: done, but some photos could not be used and are listed

# one thread: what comes out does not hang on the number of cores
lite: export OMP_NUM_THREADS = 1
lite: setup ## train the model that comes with the package (hours on a CPU; goes on where it was)
	$(PY) tools/gallery.py build data/lite/gallery --photos $(PHOTOS) --retrieval configs/procrop_lite.py $(OR_LEFT_OUT)
	$(PY) tools/teach.py $(PHOTOS) data/lite/windows --teacher type=ReferencedTeacher gallery=data/lite/gallery $(OR_LEFT_OUT)
	$(MAKE) data/lite/neighbours.npz
	$(PY) tools/train.py configs/procrop_lite.py --work-dir $(LITE_RUN) --seed $(SEED) --resume
	$(PY) tools/publish.py $$(cat $(LITE_RUN)/last_checkpoint) --name procrop-lite --gallery data/lite/gallery \
		--photos $(PHOTOS) --out $(LITE_RUN)/procrop-lite

data/lite/neighbours.npz: data/lite/windows/manifest.json data/lite/gallery/manifest.json
	$(PY) tools/neighbours.py configs/procrop_lite.py

clean: ## remove caches and build leftovers; keeps .venv, data and work_dirs
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +
