# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The WarpDrive authors
#
# The commands a person types.  Meson does the building; see CONTRIBUTING.md
# for what each target needs and proves.

PREFIX ?= /usr/local

.PHONY: all build demo check check-all check-long bench fuzz install clean deps

all: build

# Only what building needs; the other targets ask for more where they need it.
deps:
	@scripts/deps build

build: deps
	@scripts/build build -Dbuildtype=release --prefix='$(PREFIX)'

demo: build
	@scripts/demo

check:
	@scripts/deps check
	@scripts/build build/check -Dbuildtype=debugoptimized -Dwerror=true
	@scripts/run-tests build/check --no-suite long --no-suite vm

check-long:
	@scripts/deps check
	@scripts/build build/check -Dbuildtype=debugoptimized -Dwerror=true
	@scripts/run-tests build/check --suite long

check-all:
	@scripts/deps all
	@scripts/check-all

bench: build
	@scripts/deps bench
	@scripts/bench

# FUZZ_SECONDS for each target, one after another; see scripts/fuzz.
fuzz:
	@scripts/deps all
	@scripts/fuzz

# DESTDIR is read from the environment, as Meson does.
install: build
	@DESTDIR='$(DESTDIR)' meson install -C build --no-rebuild
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean:
	rm -rf build
