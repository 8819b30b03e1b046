# Thin: every target is a script or a CMake preset, so that both can be read on their own.
SHELL := /bin/bash

JOBS ?= $(shell nproc)

.PHONY: build lambda quickstart test simulate e2e fuzz bench lint sanitize clean

build:
	scripts/deps.sh
	scripts/build.sh release
	mkdir -p bin && ln -sf ../build/release/bin/keyturn bin/keyturn && ln -sf ../build/release/bin/keyturn-sandbox bin/keyturn-sandbox \
	  && ln -sf keyturn bin/kubectl-keyturn

# SECRET=arn:… FUNCTION=name: whom the IAM policies are for. KEYTURN=PROGRAM packs that program instead of building the release.
lambda: $(if $(KEYTURN),,build)
	scripts/lambda.sh

quickstart: build
	scripts/quickstart.sh $(if $(STAY),--stay)

test:
	scripts/deps.sh --test
	scripts/test.sh

simulate:
	scripts/deps.sh --test
	scripts/simulate.sh

# KEYTURN=PROGRAM tests that program instead of building the release.
e2e: $(if $(KEYTURN),,build)
	scripts/deps.sh --e2e
	tests/e2e/run.sh

fuzz:
	scripts/deps.sh --test
	scripts/fuzz.sh 60

bench: build
	scripts/bench.sh

lint:
	scripts/deps.sh --lint
	scripts/lint.sh

sanitize:
	scripts/deps.sh --test
	scripts/sanitize.sh

clean:
	rm -rf build bin
