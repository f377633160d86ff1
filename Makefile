# The front door. Each target installs what it needs and is missing (tools/setup.sh), then calls CMake, CTest or a tool.
# `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
# The rooms whose tests run under ASan and UBSan in every `make test`; `make asan` runs all of them.
QUICK_ROOMS := base formats policy manifest audit services abi

# Clones in other folders share ccache's results.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

ENV := . build/env.sh &&
STEP = @printf '\n== %s\n'
CTEST = ctest -j$(JOBS) --output-on-failure --no-tests=error
has_tests = $(if $(wildcard src/$(1)/*_test.cc src/$(1)/*/*_test.cc),$(1))
quick_tests = $(addsuffix _test,$(foreach room,$(QUICK_ROOMS),$(call has_tests,$(room))))
cargo_target = $${CORDON_BUILD_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/cordon-build}/target

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- what a newcomer types ---

.PHONY: build demo test
build: setup-build build/build.ninja ## build the command: build/bin/cordon
	$(STEP) "building build/bin/cordon (the first time also the engine: 10 to 20 minutes)"
	@$(ENV) cmake --build build -j$(JOBS) --target cordon

demo: setup-guests build ## the main job: a plugin at work, and a hostile one that gets nowhere
	$(STEP) "building the example plugins from source"
	@$(ENV) python3 tools/build_guests.py --output build/guests
	$(STEP) "demo"
	@$(ENV) python3 tools/demo.py --cordon build/bin/cordon --guests build/guests

test: setup-guests build/build.ninja ## the gate: every test, then a quick subset under ASan and UBSan
	$(STEP) "building everything (the first time also the engine: 10 to 20 minutes)"
	@$(ENV) cmake --build build -j$(JOBS)
	@failed=; mkdir -p build/asan; \
	  $(MAKE) --no-print-directory quick-asan 2>&1 | tee build/asan/quick.log || failed+=" the-ASan-subset"; \
	  printf '\n== testing (a report goes to build/test-results.xml)\n'; $(ENV) \
	  $(CTEST) --test-dir build --output-junit test-results.xml || failed+=" the-tests"; \
	  case "$$failed" in *ASan*) grep -E -A12 'ERROR: |FAILED|error: ' build/asan/quick.log | tail -60 || true;; esac; \
	  [ -z "$$failed" ] || { echo "make test: failed:$$failed; see above"; exit 1; }

# --- what a packager types ---

.PHONY: install package
install: build ## install under PREFIX (/usr/local), below DESTDIR if that is set: libraries, headers, command
	$(STEP) "installing under $(DESTDIR)$(PREFIX)"
	@$(ENV) cmake --build build -j$(JOBS) --target cordon_installed
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)" --strip

package: build ## a tarball and Debian packages, which need no Rust: build/packages
	$(STEP) "packing"
	@$(ENV) cmake --build build -j$(JOBS) --target cordon_installed
	@export SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)}; \
	  cpack --config build/CPackConfig.cmake && rm -rf build/packages/_CPack_Packages && ls -l build/packages

# --- the rest of the checks ---

.PHONY: check quick-asan clang asan tsan headers lint format-check bridge-check bridge-header-check fuzz tidy soak
CHECKS := test clang headers format-check lint bridge-header-check bridge-check asan tsan fuzz
check: $(CHECKS) ## all there is: compilers, sanitizers, linters, fuzzers
	$(STEP) "every check passed"

quick-asan: setup-build build/asan/build.ninja
	$(STEP) "ASan and UBSan: $(QUICK_ROOMS)"
	@$(ENV) cmake --build build/asan -j$(JOBS) --target $(quick_tests)
	@failed=; for test in $(quick_tests); do printf '%s: ' $$test; \
	  build/asan/bin/$$test --gtest_brief=1 || failed+=" $$test"; done; \
	  [ -z "$$failed" ] || { echo "ERROR: failed under ASan and UBSan:$$failed"; exit 1; }

clang: setup-check build/clang/build.ninja ## build and test with clang, thread-safety warnings as errors
	$(STEP) "clang-19"
	@$(ENV) cmake --build build/clang -j$(JOBS)
	@$(ENV) $(CTEST) --test-dir build/clang

headers: setup-check build/clang/build.ninja ## compile every header by itself
	$(STEP) "headers, each by itself"
	@$(ENV) cmake --build build/clang -j$(JOBS) --target all_verify_interface_header_sets

asan: setup-guests build/asan/build.ninja ## every test under ASan and UBSan
	$(STEP) "ASan and UBSan over everything"
	@$(ENV) cmake --build build/asan -j$(JOBS)
	@$(ENV) $(CTEST) --test-dir build/asan --timeout 600

tsan: setup-check build/tsan/build.ninja ## every test under TSan
	$(STEP) "TSan over everything"
	@$(ENV) cmake --build build/tsan -j$(JOBS)
	@$(ENV) TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan.supp halt_on_error=1 report_signal_unsafe=0" \
	  $(CTEST) --test-dir build/tsan --timeout 600

lint: setup-check build/clang/build.ninja ## clang-tidy over our sources
	$(STEP) "clang-tidy-19"
	@run-clang-tidy-19 -quiet -p build/clang -j$(JOBS) "$(CURDIR)/(src|fuzz|bench|examples)/.*\.cc$$" \
	  2>/dev/null >build/clang/lint.txt || { grep -E '(warning|error):' build/clang/lint.txt | sort -u; exit 1; }

format-check: setup-check ## clang-format and rustfmt, without changing anything
	$(STEP) "formatting"
	@git ls-files -- '*.cc' '*.h' ':!bridge/include/*' | xargs clang-format-19 --dry-run -Werror
	@$(ENV) cd bridge && if cargo fmt --version >/dev/null 2>&1; then cargo fmt --all --check; \
	  else echo "no rustfmt: skipped"; fi

bridge-check: setup-check ## the bridge's own tests, and clippy
	$(STEP) "the bridge: cargo test, cargo clippy"
	@$(ENV) export RUSTFLAGS="$$(python3 tools/build_bridge.py --print-flags)" && \
	  cd bridge && CARGO_TARGET_DIR="$(cargo_target)" cargo test --release --locked --workspace
	@$(ENV) export RUSTFLAGS="$$(python3 tools/build_bridge.py --print-flags)" && \
	  cd bridge && if cargo clippy --version >/dev/null 2>&1; then \
	  CARGO_TARGET_DIR="$(cargo_target)" cargo clippy --release --locked --workspace --all-targets -- -D warnings; \
	  else echo "no clippy: skipped"; fi

bridge-header-check: setup-build
	@if [ -e tools/check_bridge_header.py ]; then $(ENV) python3 tools/check_bridge_header.py; fi

fuzz: setup-check build/fuzz/build.ninja ## replay the corpora and fuzz each target for FUZZ_SECONDS (60)
	$(STEP) "libFuzzer, $(FUZZ_SECONDS) s for each target"
	@$(ENV) cmake --build build/fuzz -j$(JOBS) --target fuzz_targets
	@for target in build/fuzz/bin/*_fuzz; do \
	  name=$$(basename $$target _fuzz); mkdir -p build/fuzz/found/$$name; echo "-- $$name"; \
	  $$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$name- build/fuzz/found/$$name fuzz/corpus/$$name 2>build/fuzz/$$name.log \
	    || { tail -40 build/fuzz/$$name.log; exit 1; }; \
	  grep -E 'stat::number_of_executed_units|stat::average_exec_per_sec' build/fuzz/$$name.log; done

tidy: ## the rules of the house: layers, sizes, names, code map, links
	@python3 tools/tidy.py

soak: setup-guests build/build.ninja ## the attack cases at their full counts
	$(STEP) "soak"
	@$(ENV) cmake --build build -j$(JOBS)
	@$(ENV) CORDON_SOAK=1 $(CTEST) --test-dir build -R 'attack_|soak' --timeout 7200

# --- tools ---

.PHONY: bench bench-docs fmt docs clean
bench: setup-guests ## measure beside raw Wasmtime, Extism, wazero and Node: a table, build/bench.json, charts
	$(STEP) "benchmarks"
	@$(ENV) python3 bench/run.py --build build

bench-docs: setup-guests ## the same, and write the table and the charts into docs/bench
	$(STEP) "benchmarks, for docs/bench"
	@$(ENV) python3 bench/run.py --build build --docs

fmt: setup-check ## format every C++ and Rust source
	@git ls-files -- '*.cc' '*.h' ':!bridge/include/*' | xargs clang-format-19 -i
	@$(ENV) if cargo fmt --version >/dev/null 2>&1; then cd bridge && cargo fmt --all; fi

docs: build ## the JSON Schemas into build/docs, and a check of links and of the list of codes
	@python3 tools/tidy.py --only links,codes,map
	@mkdir -p build/docs
	@for name in manifest grants config; do build/bin/cordon schema $$name >build/docs/$$name.schema.json; done
	@ls build/docs

clean: ## remove build/ (the engine's build stays in the user's cache)
	rm -rf build build-consume

# --- how the above get there ---

.PHONY: setup-build setup-guests setup-check
setup-build:
	@tools/setup.sh build
setup-guests:
	@tools/setup.sh build guests
setup-check:
	@tools/setup.sh build guests check

build/build.ninja: CMakePresets.json
	$(STEP) "configuring build"
	@$(ENV) cmake --preset dev
build/%/build.ninja: CMakePresets.json
	$(STEP) "configuring build/$*"
	@$(ENV) cmake --preset $*
