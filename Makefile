# make run (serves here), make build, make deb, make test, make lint; CONTRIBUTING.md has all of them.
SHELL := /bin/bash
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

PORT ?= 8577
TLS_PORT ?= 8578
S3_PORT ?= 8580
DIR ?= .lps
WORKERS ?= 2
# The Web UI of 'temporal server start-dev'.
CODEC_ORIGINS ?= http://localhost:8233 http://127.0.0.1:8233

BUILD_PACKAGES := libfcgi-dev libcurl4-openssl-dev libexpat1-dev pkg-config
RUN_PACKAGES := nginx spawn-fcgi multiwatch openssl curl
TEST_PACKAGES := apache2-bin binutils faketime libarchive-tools ntfs-3g rsync runit strace systemd time
S3_PACKAGES := python3 python3-venv
CEPH_PACKAGES := ceph-mon ceph-osd radosgw
E2E_PACKAGES := chromium chromium-driver prometheus python3 python3-venv
DEB_PACKAGES := binutils debhelper python3
TEST_DEB_PACKAGES := debootstrap devscripts lintian python3 python3-venv systemd-container
BENCH_PACKAGES := wrk stunnel4 apache2-utils strace python3 python3-venv
# Where 'make e2e' leaves screenshots and logs.
E2E_ARTIFACTS ?= .e2e

# Links the Swift library into the binaries: a server needs glibc and libfcgi only. Optimizes across modules: a
# sixth less CPU for a download (docs/performance.md). No symbols for libraries that nobody loads: a megabyte less.
# Hardened as Debian's own packages (docs/security.md); without a library path of their own.
HARDENING := --disable-local-rpath -Xlinker -z -Xlinker now \
	-Xcc -fstack-protector-strong -Xcc -fstack-clash-protection -Xcc -D_FORTIFY_SOURCE=2
RELEASE := -c release --static-swift-stdlib -Xswiftc -cross-module-optimization -Xlinker --no-export-dynamic \
	$(HARDENING)
RELEASE_DIR = $(shell swift build $(RELEASE) --show-bin-path)

GENERATE_MANUAL = $(shell swift build --show-bin-path)/generate-manual --output-directory .build/manual

# $(call install,PACKAGES): installs what is missing of them.
install = missing=$$(for p in $(1); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || echo $$p; done); \
	[ -z "$$missing" ] || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing; }

# Its package has a service, which is to stay off: port 80 may be somebody's.
install_lighttpd = [ -x /usr/sbin/lighttpd ] || { { $(call install,lighttpd lighttpd-mod-openssl); } && \
		{ $(SUDO) systemctl disable --now lighttpd || true; }; }

.PHONY: build manual sbom deb test-deb run test test-ceph simulate soak e2e bench docs fuzz sanitize sanitize-thread sanitize-address \
	lint format clean

build:
	@$(call install,$(BUILD_PACKAGES))
	swift build $(RELEASE) --product lps-worker
	swift build $(RELEASE) --product lps

# Man pages and shell completions, into .build/manual. The generator leaves lines between paragraphs empty, which
# mdoc(7) does not know, and gives every tool subcommands; completions are sourced, and have no interpreter. It drops what is not
# ASCII. What no option says is in debian/manual, in place of the generator's last section, on the exit status.
manual: build
	swift build --product generate-manual
	rm -rf .build/manual && mkdir -p .build/manual/bash .build/manual/zsh .build/manual/fish
	cp debian/manual/lps-policy.5 .build/manual
	$(GENERATE_MANUAL) --section 1 $(RELEASE_DIR)/lps
	$(GENERATE_MANUAL) --section 8 $(RELEASE_DIR)/lps-worker
	sed -i 's/^$$/.Pp/' .build/manual/*.[18]
	for page in lps.1 lps-worker.8; do sed -i '/^.Sh "EXIT STATUS"$$/,$$d' .build/manual/$$page && \
		cat debian/manual/$$page >> .build/manual/$$page || exit; done
	sed -i -e '/^.Ar subcommand$$/d' -e '/^.It Em help$$/,/^.El$$/d' .build/manual/lps-worker.8
	cd .build/manual && for tool in lps lps-worker; do for shell in bash/$$tool zsh/_$$tool fish/$$tool.fish; do \
		$(RELEASE_DIR)/$$tool --generate-completion-script $${shell%%/*} > $$shell || exit; done; done
	sed -i '1{/^#!/d}' .build/manual/bash/*

# Bills of materials (CycloneDX), into .build/sbom: of the programs, and of the client library.
sbom: build
	@$(call install,$(DEB_PACKAGES))
	mkdir -p .build/sbom
	debian/sbom --binaries $(RELEASE_DIR) lps-worker lps > .build/sbom/lps.cdx.json
	debian/sbom LargePayloadCodec > .build/sbom/LargePayloadCodec.cdx.json

# The Debian package, into .build/deb.
deb: manual sbom
	rm -rf .build/deb debian/.debhelper debian/debhelper-build-stamp debian/*.debhelper.log && mkdir .build/deb
	debian/rules binary

# Installs, uses, upgrades and removes the package in a container of Debian 12 that has systemd, nginx and an S3 engine, as
# root.
test-deb: deb .build/s3/bin/weed
	@$(call install,$(TEST_DEB_PACKAGES))
	python3 -m venv .build/test-deb
	.build/test-deb/bin/pip install --quiet --disable-pip-version-check -r Tests/Package/requirements.txt
	$(SUDO) env PYTHONDONTWRITEBYTECODE=1 .build/test-deb/bin/python -m pytest Tests/Package

# With STORE=s3, payloads are in SeaweedFS, an S3 engine that then runs here, too.
run: build $(if $(filter s3,$(STORE)),.build/s3/bin/weed)
	@$(call install,$(RUN_PACKAGES))
	@exec nginx/run-local $(RELEASE_DIR) $(DIR) $(PORT) $(TLS_PORT) $(WORKERS) '$(CODEC_ORIGINS)' \
		$(if $(filter s3,$(STORE)),$(abspath .build/s3/bin/weed) $(S3_PORT))

# The S3 engines that tests run, and Python with boto3.
.build/s3/bin/weed: Tests/S3Engine/requirements.txt
	@$(call install,$(S3_PACKAGES))
	python3 -m venv .build/s3
	.build/s3/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
S3_ENV = LPS_WEED=$(abspath .build/s3/bin/weed) LPS_MOTO=$(abspath .build/s3/bin/moto_server) \
	LPS_PYTHON=$(abspath .build/s3/bin/python)

# The integration tests run the release, as it is deployed. Tests of the client library come last: they wait on Swift's own
# threads, which those of the service block while they wait for processes, so that a request of a second would take a minute.
test: build .build/s3/bin/weed
	@$(call install,$(RUN_PACKAGES) $(TEST_PACKAGES))
	@$(install_lighttpd)
	PYTHONDONTWRITEBYTECODE=1 .build/s3/bin/python Tests/S3Tests/botocore_vectors.py --check
	LPS_SERVICE=1 LPS_BIN_DIR=$(RELEASE_DIR) $(S3_ENV) swift test --skip '^(SoakTests|IntegrationTests\.CephTests)'
	LPS_BIN_DIR=$(RELEASE_DIR) swift test --filter '^LargePayloadCodecTests'

# The tests of a store in a bucket on Ceph, and those of Ceph's users and quotas; not those of SeaweedFS's replication.
CEPH_TESTS := ^(S3Tests\.EngineTests|IntegrationTests\.(Bucket|(Wire|Upload|Download)Contract|Ceph))
test-ceph: build .build/s3/bin/weed
	@$(call install,$(RUN_PACKAGES) $(TEST_PACKAGES) $(CEPH_PACKAGES))
	LPS_SERVICE=1 LPS_ENGINE=ceph LPS_BIN_DIR=$(RELEASE_DIR) $(S3_ENV) swift test --filter '$(CEPH_TESTS)' --skip BucketClusterTests

# A mixed load through nginx for so long, with collections and scrubs, while workers are killed, reloaded and replaced:
# nothing that was answered may be lost, and nothing may grow. Ends with a report.
soak: MINUTES := 15
soak: build
	@$(call install,$(RUN_PACKAGES))
	LPS_SERVICE=1 LPS_BIN_DIR=$(RELEASE_DIR) LPS_SOAK_MINUTES=$(MINUTES) swift test --filter '^SoakTests'

# Sequences of all operations of a store on a disk, with kills, power losses and wrong clocks, for MINUTES, from a seed that
# nobody has tried (SEED=N: from that one). A failing seed is printed, with the operations that it takes; 'simulate N'
# replays it.
simulate: MINUTES := 10
simulate: SEED := $(shell date +%s)
simulate:
	@$(call install,$(BUILD_PACKAGES))
	swift build -c release --product simulate
	$$(swift build -c release --show-bin-path)/simulate --minutes $(MINUTES) --first $(SEED)

# With a real Temporal server, its command line, its Web UI in a browser, and its Python SDK.
e2e: build
	@$(call install,$(RUN_PACKAGES) $(E2E_PACKAGES))
	swift build --product end-to-end-codec
	python3 -m venv .build/e2e
	.build/e2e/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) SWIFT_CODEC=$(shell swift build --show-bin-path)/end-to-end-codec \
		E2E_ARTIFACTS=$(abspath $(E2E_ARTIFACTS)) PYTHONDONTWRITEBYTECODE=1 \
		.build/e2e/bin/python -m pytest Tests/EndToEnd

# Compares the service with nginx's own file handling, for half an hour; into docs/performance.*. With STORE=s3 the
# service on SeaweedFS with the engine itself; into docs/performance-s3.*. With QUICK=1 a few cases, into .bench.
BENCH_RESULTS = $(if $(QUICK),.bench,docs)/performance$(if $(filter s3,$(STORE)),-s3).json
BENCH_PROGRAM = $(if $(filter s3,$(STORE)),.build/s3/bin/python Tests/Benchmark/bench_s3.py --weed .build/s3/bin/weed, \
	.build/bench/bin/python Tests/Benchmark/bench.py)
bench: build $(if $(filter s3,$(STORE)),.build/s3/bin/weed)
	@$(call install,$(RUN_PACKAGES) $(BENCH_PACKAGES))
	python3 -m venv .build/bench
	.build/bench/bin/pip install --quiet --disable-pip-version-check -r Tests/Benchmark/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) PYTHONDONTWRITEBYTECODE=1 $(BENCH_PROGRAM) $(if $(QUICK),--quick) $(BENCH_RESULTS)
	.build/bench/bin/python Tests/Benchmark/report.py $(BENCH_RESULTS)

# The library's documentation, as files for a web server.
docs:
	LPS_DOCS=1 swift package --allow-writing-to-directory .build/documentation generate-documentation \
		--target LargePayloadCodec --output-path .build/documentation --warnings-as-errors \
		--transform-for-static-hosting

# Each reader of input from outside, for so many seconds, with what no one means to send; from the seeds of Tests/Fuzz
# and what earlier runs have found (in .build-fuzz/corpus). What fails is left in .build-fuzz/found. Then a whole
# worker, built with the sanitizer of addresses, as long; a run prints its LPS_FUZZ_SEED.
FUZZ := query key metadata names ranges json codec upload fastcgi configuration policy tar
# Of several -sanitize the Swift compiler heeds the last alone: without both there, no coverage.
FUZZ_BUILD := --scratch-path .build-fuzz --product fuzz --sanitize fuzzer --sanitize address \
	-Xswiftc -sanitize=fuzzer,address
fuzz: SECONDS := 60
fuzz:
	@$(call install,$(BUILD_PACKAGES) $(RUN_PACKAGES))
	LPS_FUZZ=1 swift build $(FUZZ_BUILD)
	mkdir -p .build-fuzz/found $(addprefix .build-fuzz/corpus/,$(FUZZ))
	folder=$$(mktemp -d /dev/shm/lps-fuzz-XXXXXX); trap 'rm -rf "$$folder"' EXIT; for target in $(FUZZ); do \
		LSAN_OPTIONS=suppressions=Tests/Sanitizers/leaks.txt FUZZ_TARGET=$$target FUZZ_FOLDER=$$folder \
			.build-fuzz/debug/fuzz -max_total_time=$(SECONDS) -timeout=10 \
			-rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=16384 -artifact_prefix=.build-fuzz/found/$$target- \
			-print_final_stats=1 -verbosity=0 .build-fuzz/corpus/$$target Tests/Fuzz/Corpus/$$target || exit; done
	LPS_SANITIZE=1 swift build $(SANITIZE_address) --product lps-worker
	LPS_SANITIZE=1 swift build $(SANITIZE_address) --product lps
	LPS_BIN_DIR=$(abspath .build-address/debug) $(SANITIZER_OPTIONS) LPS_FUZZ_SECONDS=$(SECONDS) \
		LPS_SERVICE=1 swift test --filter HostileRecordsTests

# The unit tests, but for those of the client library, those with an S3 engine and the simulation, where one thread runs at
# a time, under the sanitizers of threads and of addresses; with SERVICE=1 integration tests with real workers, too. What is
# found in any process is printed at the end, and left in .build-thread/found and .build-address/found.
SANITIZED_TESTS := ^IntegrationTests\.(Hostile|Pool|Reload|StatusPage)
SANITIZE_thread := --scratch-path .build-thread --sanitize thread -Xlinker $(abspath .build-thread)/mutex.o
SANITIZE_address := --scratch-path .build-address --sanitize address
# A process that is to end at once leaves its threads. What was freed is kept from use, but not so much that a test takes
# it for a leak.
SANITIZER_OPTIONS = TSAN_OPTIONS=halt_on_error=1:report_thread_leaks=0:log_path=$(abspath .build-thread)/found/report \
	ASAN_OPTIONS=quarantine_size_mb=16:log_path=$(abspath .build-address)/found/report SWIFT_BACKTRACE=enable=no \
	LSAN_OPTIONS=print_suppressions=0:suppressions=$(abspath Tests/Sanitizers/leaks.txt)
sanitize: sanitize-thread sanitize-address
sanitize-thread sanitize-address: sanitize-%:
	@$(call install,$(BUILD_PACKAGES) $(RUN_PACKAGES) $(TEST_PACKAGES))
	rm -rf .build-$*/found && mkdir -p .build-$*/found
	clang -c -O1 -Wall -Wextra -Werror Tests/Sanitizers/mutex.c -o .build-$*/mutex.o
	LPS_SANITIZE=1 swift build $(SANITIZE_$*) --build-tests
	status=0; \
	LPS_SANITIZE=1 $(SANITIZER_OPTIONS) swift test $(SANITIZE_$*) --skip-build \
		--skip '^(S3Tests\.(Engine|Moto)|SimulationTests)' || status=$$?; \
	$(if $(SERVICE),LPS_SERVICE=1 LPS_BIN_DIR=$(abspath .build-$*)/debug $(SANITIZER_OPTIONS) swift test \
		--filter '$(SANITIZED_TESTS)' || status=$$?;) \
	if grep -r '' .build-$*/found; then status=1; fi; exit $$status

lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean:
	rm -rf .build .build-fuzz .build-thread .build-address
	git clean -dfqX debian
