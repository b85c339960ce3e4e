# Targets: make run (serves on this machine), make build, make deb, make test, make lint; CONTRIBUTING.md lists all of
# them.
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
LINT_PACKAGES := codespell
BENCH_PACKAGES := wrk stunnel4 apache2-utils strace python3 python3-venv
COSTS_PACKAGES := binutils gcc libc6-dev python3 strace valgrind
# Where 'make e2e' puts screenshots and logs.
E2E_ARTIFACTS ?= .e2e

# The Swift library is linked into the binaries, so a server needs only glibc, libfcgi, libcurl and libexpat.
# Optimization across modules saves a sixth of a download's CPU time (docs/performance.md). Without exported symbols,
# which nothing uses, a binary is a megabyte smaller. Hardened like Debian's own packages (docs/security.md), and
# without a library path.
HARDENING := --disable-local-rpath -Xlinker -z -Xlinker now \
	-Xcc -fstack-protector-strong -Xcc -fstack-clash-protection -Xcc -D_FORTIFY_SOURCE=2
RELEASE := -c release --static-swift-stdlib -Xswiftc -cross-module-optimization -Xlinker --no-export-dynamic \
	$(HARDENING)
RELEASE_DIR = $(shell swift build $(RELEASE) --show-bin-path)

GENERATE_MANUAL = $(shell swift build --show-bin-path)/generate-manual --output-directory .build/manual

# $(call install,PACKAGES): installs the missing ones.
install = missing=$$(for p in $(1); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q ' installed$$' || echo $$p; done); \
	[ -z "$$missing" ] || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $$missing; }

# The package starts a service, which must stay off: port 80 may be in use.
install_lighttpd = [ -x /usr/sbin/lighttpd ] || { { $(call install,lighttpd lighttpd-mod-openssl); } && \
		{ $(SUDO) systemctl disable --now lighttpd || true; }; }

.PHONY: build manual sbom deb test-deb run test test-ceph simulate soak e2e bench costs docs fuzz sanitize sanitize-thread sanitize-address \
	lint format clean

build:
	@$(call install,$(BUILD_PACKAGES))
	swift build $(RELEASE) --product lps-worker
	swift build $(RELEASE) --product lps

# Man pages and shell completions, in .build/manual. The generator of the man pages leaves empty lines between
# paragraphs and a full stop after the description, which mdoc(7) does not allow, gives every tool subcommands, and drops characters that are not ASCII.
# debian/manual has the text that no option contains; it replaces the generator's last section, on the exit status.
# Shells source the completions, so they have no interpreter line.
manual: build
	swift build --product generate-manual
	rm -rf .build/manual && mkdir -p .build/manual/bash .build/manual/zsh .build/manual/fish
	cp debian/manual/lps-policy.5 .build/manual
	$(GENERATE_MANUAL) --section 1 $(RELEASE_DIR)/lps
	$(GENERATE_MANUAL) --section 8 $(RELEASE_DIR)/lps-worker
	sed -i -e 's/^$$/.Pp/' -e '/^\.Nd /s/\."$$/"/' .build/manual/*.[18]
	for page in lps.1 lps-worker.8; do sed -i '/^.Sh "EXIT STATUS"$$/,$$d' .build/manual/$$page && \
		cat debian/manual/$$page >> .build/manual/$$page || exit; done
	sed -i -e '/^.Ar subcommand$$/d' -e '/^.It Em help$$/,/^.El$$/d' .build/manual/lps-worker.8
	cd .build/manual && for tool in lps lps-worker; do for shell in bash/$$tool zsh/_$$tool fish/$$tool.fish; do \
		$(RELEASE_DIR)/$$tool --generate-completion-script $${shell%%/*} > $$shell || exit; done; done
	sed -i '1{/^#!/d}' .build/manual/bash/*

# Software bills of materials (CycloneDX), in .build/sbom: one for the programs, one for the client library.
sbom: build
	@$(call install,$(DEB_PACKAGES))
	mkdir -p .build/sbom
	debian/sbom --binaries $(RELEASE_DIR) lps-worker lps > .build/sbom/lps.cdx.json
	debian/sbom LargePayloadCodec > .build/sbom/LargePayloadCodec.cdx.json

# The Debian package, in .build/deb.
deb: manual sbom
	rm -rf .build/deb debian/.debhelper debian/debhelper-build-stamp debian/*.debhelper.log && mkdir .build/deb
	debian/rules binary

# Installs, uses, upgrades and removes the package in a container of Debian 12 with systemd, nginx and an S3 engine.
# Needs root.
test-deb: deb .build/s3/bin/weed
	@$(call install,$(TEST_DEB_PACKAGES))
	python3 -m venv .build/test-deb
	.build/test-deb/bin/pip install --quiet --disable-pip-version-check -r Tests/Package/requirements.txt
	$(SUDO) env PYTHONDONTWRITEBYTECODE=1 .build/test-deb/bin/python -m pytest Tests/Package

# With STORE=s3, payloads are stored in SeaweedFS, an S3 engine that then also runs on this machine.
run: build $(if $(filter s3,$(STORE)),.build/s3/bin/weed)
	@$(call install,$(RUN_PACKAGES))
	@exec nginx/run-local $(RELEASE_DIR) $(DIR) $(PORT) $(TLS_PORT) $(WORKERS) '$(CODEC_ORIGINS)' \
		$(if $(filter s3,$(STORE)),$(abspath .build/s3/bin/weed) $(S3_PORT))

# The S3 engines for tests, and Python with boto3.
.build/s3/bin/weed: Tests/S3Engine/requirements.txt
	@$(call install,$(S3_PACKAGES))
	python3 -m venv .build/s3
	.build/s3/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
S3_ENV = LPS_WEED=$(abspath .build/s3/bin/weed) LPS_MOTO=$(abspath .build/s3/bin/moto_server) \
	LPS_PYTHON=$(abspath .build/s3/bin/python)

# The integration tests run the release build, as deployed. The client library's tests run last: they need Swift's own
# threads, which the service's tests block while they wait for processes, so that a request of one second would take a
# minute.
test: build .build/s3/bin/weed
	@$(call install,$(RUN_PACKAGES) $(TEST_PACKAGES))
	@$(install_lighttpd)
	PYTHONDONTWRITEBYTECODE=1 .build/s3/bin/python Tests/S3Tests/botocore_vectors.py --check
	LPS_SERVICE=1 LPS_BIN_DIR=$(RELEASE_DIR) $(S3_ENV) swift test --skip '^(SoakTests|IntegrationTests\.CephTests)'
	LPS_BIN_DIR=$(RELEASE_DIR) swift test --filter '^LargePayloadCodecTests'

# Runs the tests of a store in a bucket on Ceph, and the tests of Ceph's users and quotas, but not those of SeaweedFS's
# replication.
CEPH_TESTS := ^(S3Tests\.EngineTests|StorageTests|WorkerTests\.BucketCheck|IntegrationTests\.(Bucket|WireContract|Ceph))
test-ceph: build .build/s3/bin/weed
	@$(call install,$(RUN_PACKAGES) $(TEST_PACKAGES) $(CEPH_PACKAGES))
	LPS_SERVICE=1 LPS_ENGINE=ceph LPS_BIN_DIR=$(RELEASE_DIR) $(S3_ENV) swift test --filter '$(CEPH_TESTS)' --skip BucketClusterTests

# Puts a mixed load on the service through nginx for MINUTES, with garbage collections and scrubs, while workers are
# killed, reloaded and replaced. No acknowledged payload may be lost, and no resource use may grow. Prints a report at
# the end.
soak: MINUTES := 15
soak: build
	@$(call install,$(RUN_PACKAGES))
	LPS_SERVICE=1 LPS_BIN_DIR=$(RELEASE_DIR) LPS_SOAK_MINUTES=$(MINUTES) swift test --filter '^SoakTests'

# Runs sequences of all operations of a disk store, with kills, power losses and wrong clocks, for MINUTES, starting
# from a new seed, or from N with SEED=N. Prints a failing seed and the operations it takes to fail; 'simulate N'
# replays it.
simulate: MINUTES := 10
simulate: SEED := $(shell date +%s)
simulate:
	@$(call install,$(BUILD_PACKAGES))
	swift build -c release --scratch-path .build-simulate --product simulate
	.build-simulate/release/simulate --minutes $(MINUTES) --first $(SEED)

# Tests with a real Temporal server, its command line, its Web UI in a browser, and its Python SDK.
e2e: build
	@$(call install,$(RUN_PACKAGES) $(E2E_PACKAGES))
	swift build --product end-to-end-codec
	python3 -m venv .build/e2e
	.build/e2e/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) SWIFT_CODEC=$(shell swift build --show-bin-path)/end-to-end-codec \
		E2E_ARTIFACTS=$(abspath $(E2E_ARTIFACTS)) PYTHONDONTWRITEBYTECODE=1 \
		.build/e2e/bin/python -m pytest Tests/EndToEnd

# Compares the service with nginx's own file handling, then makes costs, in 40 minutes; the results are
# docs/performance*. With STORE=s3, compares the service on SeaweedFS with SeaweedFS itself; the results are
# docs/performance-s3.*. With QUICK=1, runs a few cases only, and writes to .bench.
BENCH_RESULTS = $(if $(QUICK),.bench,docs)/performance$(if $(filter s3,$(STORE)),-s3).json
BENCH_PROGRAM = $(if $(filter s3,$(STORE)),.build/s3/bin/python Tests/Benchmark/bench_s3.py --weed .build/s3/bin/weed, \
	.build/bench/bin/python Tests/Benchmark/bench.py)
bench: build $(if $(filter s3,$(STORE)),.build/s3/bin/weed)
	@$(call install,$(RUN_PACKAGES) $(BENCH_PACKAGES))
	python3 -m venv .build/bench
	.build/bench/bin/pip install --quiet --disable-pip-version-check -r Tests/Benchmark/requirements.txt
	LPS_BIN_DIR=$(RELEASE_DIR) PYTHONDONTWRITEBYTECODE=1 $(BENCH_PROGRAM) $(if $(QUICK),--quick) $(BENCH_RESULTS)
	$(if $(filter s3,$(STORE))$(QUICK),,$(MAKE) costs)
	PYTHONDONTWRITEBYTECODE=1 .build/bench/bin/python Tests/Benchmark/report.py $(BENCH_RESULTS)

# Counts the system calls, allocations and instructions of a request, in less than a minute; the results are
# docs/performance-costs.json and tables in docs/performance.md. With CHECK=1, compares with this file, fails if a figure
# is more than 10 % higher, and writes to .bench.
COSTS := docs/performance-costs.json
costs: build
	@$(call install,$(COSTS_PACKAGES))
	LPS_BIN_DIR=$(RELEASE_DIR) PYTHONDONTWRITEBYTECODE=1 python3 Tests/Benchmark/costs.py \
		$(if $(CHECK),.bench/$(notdir $(COSTS)) --check $(COSTS),$(COSTS))

# The library's documentation, as files for a web server.
docs:
	LPS_DOCS=1 swift package --allow-writing-to-directory .build/documentation generate-documentation \
		--target LargePayloadCodec --output-path .build/documentation --warnings-as-errors \
		--transform-for-static-hosting

# Feeds malformed input to each parser of external input, for SECONDS each, starting from the seeds in Tests/Fuzz and
# the findings of earlier runs (.build-fuzz/corpus). Inputs that fail are kept in .build-fuzz/found. Then does the same
# to a whole worker, built with the address sanitizer; each run prints its LPS_FUZZ_SEED.
FUZZ := query key metadata names ranges json codec upload fastcgi configuration policy tar
# The Swift compiler uses only the last of several -sanitize options: without both in it, there is no coverage.
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

# Runs the unit tests under the thread sanitizer and under the address sanitizer, without those of the client library,
# those with an S3 engine, and the simulation, in which only one thread runs at a time. With SERVICE=1, also runs
# integration tests with real workers. Reports of all processes are printed at the end, and kept in .build-thread/found
# and .build-address/found.
SANITIZED_TESTS := ^IntegrationTests\.(Hostile|Pool|Reload|StatusPage)
SANITIZE_thread := --scratch-path .build-thread --sanitize thread -Xlinker $(abspath .build-thread)/mutex.o
SANITIZE_address := --scratch-path .build-address --sanitize address
# report_thread_leaks: a process that must exit at once does not join its threads. quarantine_size_mb: freed memory is
# kept from reuse, but not so much that a test mistakes it for a leak.
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

# Checks formatting, spelling, and that no text contains a phrase of .ci/prose.txt.
PROSE := README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs nginx systemd debian Makefile Sources Tests
lint:
	@$(call install,$(LINT_PACKAGES))
	swift format lint --strict --recursive --parallel Package.swift Sources Tests
	git ls-files $(PROSE) | grep -v '[.]\(json\|svg\|png\)$$\|/Corpus/' | \
		xargs codespell --ignore-words-list inout,atleast,otherways,nd,hel,ttests,endpont,passtime
	! git grep -nEiw -f .ci/prose.txt -- $(PROSE) ':!*.json'

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean:
	rm -rf .build .build-fuzz .build-thread .build-address
	git clean -dfqX debian
