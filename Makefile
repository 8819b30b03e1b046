# Thin: every target is a script or a CMake preset, so that both can be read on their own.
SHELL := /bin/bash
export CCACHE_BASEDIR := $(CURDIR)
JOBS ?= $(shell nproc)

.PHONY: build deps quickstart test e2e fuzz bench lint sanitize clean

deps:
	scripts/deps.sh

build: deps
	scripts/build.sh release
	mkdir -p bin && ln -sf ../build/release/bin/keyturn bin/keyturn && ln -sf ../build/release/bin/keyturn-sandbox bin/keyturn-sandbox \
	  && ln -sf keyturn bin/kubectl-keyturn

quickstart: build
	scripts/quickstart.sh $(if $(STAY),--stay)

test: deps
	scripts/test.sh

e2e: build
	tests/e2e/run.sh

fuzz: deps
	scripts/fuzz.sh 60

bench: build
	scripts/bench.sh

lint: deps
	scripts/lint.sh

sanitize: deps
	scripts/sanitize.sh

clean:
	rm -rf build bin
