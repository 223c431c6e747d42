# chela: thin targets over Meson and Ninja. `make run` and `make test` do all their own set-up.
BUILD   ?= build
PORT    ?=
CC      ?= cc
NINJA   = ninja -C $(BUILD)
SETUP   = sh scripts/setup.sh

.DEFAULT_GOAL := build
.PHONY: run build test check lint fuzz bench clean help setup-build

help:
	@echo "make run    build and start the gateway on 127.0.0.1:18789 (PORT=… for another)"
	@echo "make build  the release binary: build/chela"
	@echo "make check  the fast tests (under two minutes)"
	@echo "make test   every test, with real peers; installs what it needs"
	@echo "make lint   format, style gates, clang-tidy"
	@echo "make fuzz   every fuzz target for FUZZ_SECONDS (60) each"
	@echo "make bench  the project's benchmark (REFERENCE=1: the reference beside it)"

setup-build:
	@$(SETUP) build ui

$(BUILD)/build.ninja: | setup-build
	@meson setup $(BUILD) --buildtype=release -Db_lto=true -Dtests=false >/dev/null

build: setup-build $(BUILD)/build.ninja
	@$(NINJA) --quiet

run: build
	@exec $(BUILD)/chela gateway run $(if $(PORT),--port $(PORT))

check: setup-build
	@$(SETUP) unit
	@python3 scripts/test.py check

test: setup-build
	@$(SETUP) test
	@python3 scripts/test.py all

lint: setup-build
	@$(SETUP) lint
	@python3 scripts/test.py lint

fuzz: setup-build
	@$(SETUP) unit
	@python3 scripts/test.py fuzz

bench: build
	@sh bench/run.sh

clean:
	rm -rf build build-*
