# `make demo` shows it working, `make test` proves it. Both set everything up first, once.
SHELL := /bin/bash
# Without bytecode every process compiles PyTorch anew, and the tests start some hundred.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
VENV := $(CURDIR)/.venv
PIP := $(VENV)/bin/pip install --quiet --no-compile --disable-pip-version-check
# What the installed package is made of; a file that comes or goes counts as a change.
SOURCES := CMakeLists.txt package.xml demo/conversation.txt $(shell find action msg config data launch models scripts \
  text2gesture_ros -type f -not -path '*/__pycache__/*' -not -path 'models/*/training/*' -not -name '.*')
TORCH := $(shell grep -o '^torch==[^ ]*' requirements.txt)

.PHONY: help setup demo test clean
help:
	@echo "make demo   set up, then 30 sentences become robot commands (results in demo/out)"
	@echo "make test   set up, then lint, types and tests"
	@echo "make setup  only the set-up: .venv and a colcon build of this package"
	@echo "make clean  remove everything the set-up made"

setup: .venv/built

# Stamps are written last, so that a set-up that was interrupted starts again.
.venv/installed: requirements.txt scripts/fix_ros_wheels.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "The ROS wheels need Python 3.11: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the pinned environment into .venv (1 to 3 minutes, once)"
	@$(PYTHON) -m venv --clear $(VENV)
# The CPU build of torch, from a local folder of wheels or its own index: the default one pulls gigabytes of CUDA.
	@$(PIP) --no-deps --no-index $(TORCH) 2> /dev/null \
	  || $(PIP) --no-deps --index-url https://download.pytorch.org/whl/cpu $(TORCH)
	@$(PIP) -r requirements.txt
	@$(VENV)/bin/python scripts/fix_ros_wheels.py
	@touch $@

.venv/built: .venv/installed $(SOURCES)
	@echo "Building messages and package with colcon (under a minute, once)"
	@PATH="$(VENV)/bin:$$PATH" AMENT_PREFIX_PATH=$(VENV) CMAKE_PREFIX_PATH=$(VENV) \
	  $(VENV)/bin/colcon --log-level error build --symlink-install \
	  --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF --no-warn-unused-cli
	@touch $@

demo: setup
	@. ./env.bash && text2gesture demo --output demo/out

test: setup
	@. ./env.bash && ruff check . && ruff format --check . && mypy && pytest -n 2 --dist worksteal

clean:
	rm -rf .venv build install log
