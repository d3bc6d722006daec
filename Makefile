# make test runs everything from a clean clone and ends with "N tests passed". It needs
# Go 1.26, a C compiler and Node 20, and installs the other parts if it can.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: test prepare prepare-soak prepare-dist dist dist-test lint vulnerabilities unit bench bench-peer parties pictures soak fuzz

test: prepare lint vulnerabilities unit

prepare:
	@bash .ci/prepare

prepare-soak:
	@bash .ci/prepare soak

prepare-dist:
	@bash .ci/prepare dist

# The packages with files for PKCS #11. TestMakefile_ListsTaggedPackages checks the list.
tagged := ./provider/keys/pkcs11 ./cmd/signet/keys

# vet and staticcheck read the build with the race detector, so that no other build of all
# packages and of SQLite is compiled than that of the tests. With less garbage collection,
# staticcheck takes about two thirds of the time.
lint:
	@files=$$(gofmt -l .); [[ -z $$files ]] || { echo "gofmt -w these:"; echo "$$files"; exit 1; }
	go vet -race ./... && go vet .ci/summary.go && go vet .ci/language.go && go vet .ci/npmfile.go
	go run .ci/language.go
	go vet -race -tags pkcs11 $(tagged)
	staticcheck=$$(go tool -n staticcheck); export GOGC=400 GOFLAGS="$$(go env GOFLAGS) -race"; \
		$$staticcheck ./... && $$staticcheck -tags pkcs11 $(tagged)

vulnerabilities: prepare
	@bash .ci/vulnerabilities

# The tests of a build with PKCS #11.
pkcs11 := -run 'PKCS11|^TestToken_|^TestRing_' ./provider/keys/pkcs11 ./cmd/signet/config ./cmd/signet/keys

longest := ./storage ./provider/interaction ./provider/oauth ./provider ./cmd/signet/pages

# First all tests under the race detector, on SQLite and PostgreSQL. GORACE removes the
# second that each process would sleep at its end, and GOGC most of the garbage collection.
# The longest packages come first, so that no processor is idle at the end. The tests run
# without vet, since lint has run all of it. Then storage and one whole sign-in without cgo,
# as a machine without a C compiler builds them, which changes nothing for PostgreSQL; the
# keys in SoftHSM and one whole sign-in with PKCS #11; and the package for React, in Chromium.
unit: prepare
	@{ GORACE=atexit_sleep_ms=0 GOGC=400 go test -vet=off -race -timeout 20m -json $(longest) ./... && \
		CGO_ENABLED=0 go test -vet=off -timeout 10m -skip '/^postgres$$' -json ./storage/... && \
		CGO_ENABLED=0 go test -vet=off -timeout 5m -json -run TestRelyingParty_GoOIDC ./cmd/signet/parties && \
		go test -vet=off -race -tags pkcs11 -timeout 5m -json $(pkcs11) && \
		npm test --silent --prefix sdk/react -- --reporter=./test/events.ts; } | go run .ci/summary.go

# First the whole program beside the cost of a bare server, in one run; then the parts.
bench:
	go test -run '^$$' -bench BesideCeilings -benchtime 20000x ./cmd/signet
	go test -run '^$$' -bench . -skip Growth -benchmem ./provider/... ./storage/...

# Refresh and code flow beside oidc-provider on Node.js. SIGNET_BENCH_PROGRAM=/usr/bin/signet
# measures the program of the Debian package.
bench-peer: prepare
	go test -run '^$$' -bench BesideOIDCProvider -benchtime 3000x -timeout 1h ./cmd/signet

# Builds everything that a release consists of into dist/. See deploy/release.
dist: prepare-dist
	@go run -C deploy/release . -out "$(CURDIR)/dist" $(DIST)

# Builds everything twice and tries it out: in other roots, on another processor, behind
# foreign proxies. It needs root. The modules are separate from that of the server, so that
# their libraries are not among its requirements.
dist-test: prepare-dist
	@staticcheck=$$(go tool -n staticcheck); for module in deploy/*/go.mod; do \
		(cd $${module%/go.mod} && go vet ./... 1>&2 && $$staticcheck ./... 1>&2 && go test -timeout 1h -json ./...) || exit 1; \
	done | go run .ci/summary.go

# Every relying party with its default settings, including those that take long to
# install or to build.
parties: prepare-soak
	@SIGNET_SOAK=1 go test -count 1 -v -run TestRelyingParty_ ./cmd/signet/parties

# Takes the pictures of README.md again.
pictures: prepare
	@go test -count 1 -run TestPictures_ ./cmd/signet/pages -update

# Tests that are too long for CI: the same tests in a random order, with every relying
# party and ten times the rounds of each race and each kill, since a race is found by
# repetition. The races and the cost of a million users come first.
races := Race|Storm|Fifty|Hundred|Parallel|LostAnswer|MixedLoad|OneOfMany|AtOnce|Together|FirstSignIns|ReplayAtAnotherNode|Processes_|Killed_|Keys_

soak: prepare-soak
	@SIGNET_SOAK=1 go test -race -v -timeout 4h -run '$(races)|FewRows' ./storage ./provider/... ./cmd/signet/... | grep -v '^=== '
	@SIGNET_PGBOUNCER=1 go test -timeout 1h ./storage
	@go test -run '^$$' -bench 'Growth|ChangesOfManyRows' -benchtime 1x -timeout 1h ./storage
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory dist-test
	@SIGNET_SOAK=1 go test -race -tags pkcs11 -timeout 1h $(pkcs11)
	@SIGNET_SOAK=1 go test -race -count 3 -shuffle on -timeout 4h -json ./... | go run .ci/summary.go

# Fuzzes every parser of input from strangers for fuzztime each. Inputs that fail are
# stored in testdata/fuzz, and each run of the tests tries them again.
fuzztime := 30s

fuzz:
	@for package in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' ./$$package | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(fuzztime) ./$$package || exit 1; \
		done; \
	done
