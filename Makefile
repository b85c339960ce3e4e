# make run, make test, make build, make lint; see README.md.
SHELL := /bin/bash
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

PORT ?= 8577
TLS_PORT ?= 8578
DIR ?= .lps
WORKERS ?= 2
# The Web UI of 'temporal server start-dev'.
CODEC_ORIGINS ?= http://localhost:8233 http://127.0.0.1:8233

BUILD_PACKAGES := libfcgi-dev pkg-config
RUN_PACKAGES := nginx spawn-fcgi multiwatch openssl curl
TEST_PACKAGES := binutils libarchive-tools strace systemd time
E2E_PACKAGES := chromium chromium-driver prometheus python3 python3-venv
DEB_PACKAGES := debhelper
TEST_DEB_PACKAGES := debootstrap lintian python3-pytest systemd-container
BENCH_PACKAGES := wrk stunnel4 apache2-utils strace python3 python3-venv
# Where 'make e2e' leaves screenshots and logs.
E2E_ARTIFACTS ?= .e2e

# Links the Swift library into the binaries: a server needs glibc and libfcgi only. Optimizes across modules: a
# sixth less CPU for a download (docs/performance.md). No symbols for libraries that nobody loads: a megabyte less.
RELEASE := -c release --static-swift-stdlib -Xswiftc -cross-module-optimization -Xlinker --no-export-dynamic
RELEASE_DIR = $(shell swift build $(RELEASE) --show-bin-path)

GENERATE_MANUAL = $(shell swift build --show-bin-path)/generate-manual --output-directory .build/manual

# $(call install,PACKAGES): installs what is missing of them.
install = missing=$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || echo $$p; done); \
	[ -z "$$missing" ] || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing; }

.PHONY: build manual deb test-deb run test soak e2e bench docs fuzz lint format clean

build:
	@$(call install,$(BUILD_PACKAGES))
	swift build $(RELEASE) --product lps-worker
	swift build $(RELEASE) --product lps

# Man pages and shell completions, into .build/manual. The generator leaves lines between paragraphs empty, which mdoc(7)
# does not know, and gives every tool subcommands; completions are sourced, and have no interpreter.
manual: build
	swift build --product generate-manual
	rm -rf .build/manual && mkdir -p .build/manual/bash .build/manual/zsh .build/manual/fish
	$(GENERATE_MANUAL) --section 1 $(RELEASE_DIR)/lps
	$(GENERATE_MANUAL) --section 8 $(RELEASE_DIR)/lps-worker
	sed -i 's/^$$/.Pp/' .build/manual/*.[18]
	sed -i -e '/^.Ar subcommand$$/d' -e '/^.It Em help$$/,/^.El$$/d' .build/manual/lps-worker.8
	cd .build/manual && for tool in lps lps-worker; do for shell in bash/$$tool zsh/_$$tool fish/$$tool.fish; do \
		$(RELEASE_DIR)/$$tool --generate-completion-script $${shell%%/*} > $$shell || exit; done; done
	sed -i '1{/^#!/d}' .build/manual/bash/*

# The Debian package, into .build/deb.
deb: manual
	@$(call install,$(DEB_PACKAGES))
	rm -rf .build/deb debian/.debhelper debian/debhelper-build-stamp debian/*.debhelper.log && mkdir .build/deb
	debian/rules binary

# Installs, uses, upgrades and removes the package in a container of Debian 12 that has systemd and nginx, as root.
test-deb: deb
	@$(call install,$(TEST_DEB_PACKAGES))
	$(SUDO) env PYTHONDONTWRITEBYTECODE=1 pytest-3 Tests/Package

run: build
	@$(call install,$(RUN_PACKAGES))
	@exec nginx/run-local $(RELEASE_DIR) $(DIR) $(PORT) $(TLS_PORT) $(WORKERS) '$(CODEC_ORIGINS)'

# Tests of the client library wait on Swift's own threads, which those of the service block while they wait for
# processes: beside them, a request of a second may take a minute.
ASYNC_TESTS := ^(LargePayloadCodecTests|IntegrationTests\.SwiftCodecTests)

# The integration tests run the release, as it is deployed.
test: build
	@$(call install,$(RUN_PACKAGES) $(TEST_PACKAGES))
	LPS_BIN_DIR=$(RELEASE_DIR) swift test --skip '$(ASYNC_TESTS)|^SoakTests'
	LPS_BIN_DIR=$(RELEASE_DIR) swift test --skip-build --filter '$(ASYNC_TESTS)'

# A mixed load through nginx for so long, with collections and scrubs, while workers are killed, reloaded and replaced:
# nothing that was answered may be lost, and nothing may grow. Ends with a report.
soak: MINUTES := 15
soak: build
	@$(call install,$(RUN_PACKAGES))
	LPS_BIN_DIR=$(RELEASE_DIR) LPS_SOAK_MINUTES=$(MINUTES) swift test --filter '^SoakTests'

# With a real Temporal server, its command line, its Web UI in a browser, and its Python SDK.
e2e: build
	@$(call install,$(RUN_PACKAGES) $(E2E_PACKAGES))
	swift build --product end-to-end-codec
	python3 -m venv .build/e2e
	.build/e2e/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) SWIFT_CODEC=$(shell swift build --show-bin-path)/end-to-end-codec \
		E2E_ARTIFACTS=$(abspath $(E2E_ARTIFACTS)) PYTHONDONTWRITEBYTECODE=1 \
		.build/e2e/bin/python -m pytest Tests/EndToEnd

# Compares the service with nginx's own file handling, for half an hour; into docs/performance.*. With QUICK=1 a few
# cases, into .bench.
bench: build
	@$(call install,$(RUN_PACKAGES) $(BENCH_PACKAGES))
	python3 -m venv .build/bench
	.build/bench/bin/pip install --quiet --disable-pip-version-check -r Tests/Benchmark/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) PYTHONDONTWRITEBYTECODE=1 .build/bench/bin/python Tests/Benchmark/bench.py \
		$(if $(QUICK),--quick .bench/performance.json,docs/performance.json)
	.build/bench/bin/python Tests/Benchmark/report.py $(if $(QUICK),.bench,docs)/performance.json

# The library's documentation, as files for a web server.
docs:
	LPS_DOCS=1 swift package --allow-writing-to-directory .build/documentation generate-documentation \
		--target LargePayloadCodec --output-path .build/documentation --warnings-as-errors --transform-for-static-hosting

# Each reader of input from outside, for so many seconds, with what no one means to send; from the seeds of Tests/Fuzz and
# what earlier runs have found (in .build-fuzz/corpus). What fails is left in .build-fuzz/found.
FUZZ := query key metadata names ranges json policy tar
# Of several -sanitize the Swift compiler heeds the last alone: without both there, no coverage.
FUZZ_BUILD := --scratch-path .build-fuzz --product fuzz --sanitize fuzzer --sanitize address \
	-Xswiftc -sanitize=fuzzer,address
fuzz: SECONDS := 60
fuzz:
	LPS_FUZZ=1 swift build $(FUZZ_BUILD)
	mkdir -p .build-fuzz/found $(addprefix .build-fuzz/corpus/,$(FUZZ))
	for target in $(FUZZ); do \
		FUZZ_TARGET=$$target .build-fuzz/debug/fuzz -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
			-artifact_prefix=.build-fuzz/found/$$target- -print_final_stats=1 -verbosity=0 \
			.build-fuzz/corpus/$$target Tests/Fuzz/Corpus/$$target || exit; done

lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean:
	rm -rf .build
	git clean -dfqX debian
