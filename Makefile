# One target per verb. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz lint bench bench-check bench-full bench-debezium soak model build deps clean FORCE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: bin/syncline ## watch a real PostgreSQL arrive in two targets; KEEP=1 stays up, BREAK=1 must fail
	@bash integration/deps.sh postgres
	@exec bin/syncline demo $(if $(KEEP),--keep) $(if $(BREAK),--break)

test: deps ## run every test, against real servers that are started once
	@exec bash integration/test.sh

fuzz: ## fuzz every decoder for 5 s, or FUZZTIME=1h
	@FUZZTIME=$(or $(FUZZTIME),5s) exec bash integration/fuzz.sh

lint: ## check formatting, vet, staticcheck and go.mod
	@files=$$(go tool gofumpt -l .); [ -z "$$files" ] || { printf 'run go tool gofumpt -w on:\n%s\n' "$$files" >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

# What the bench's targets have in common: ONLY chooses (go run ./integration/bench -list), RUNS repeats, JSON keeps every run.
BENCH = go run ./integration/bench $(if $(RUNS),-runs $(RUNS)) $(if $(JSON),-json $(JSON))

bench: deps ## measure against pg_recvlogical, COPY and a merge by hand, 15 minutes; ONLY=all is everything, RUNS=5, JSON=file
	$(BENCH) $(if $(ONLY),-only '$(ONLY)')

bench-full: deps ## measure curves over width, tables, transactions, backlog, partitions, sinks; half an hour, SCALE=0.01 a miniature
	$(BENCH) -curves -scale $(or $(SCALE),1) $(if $(ONLY),-only '$(ONLY)')

bench-debezium: deps ## measure against Debezium on Kafka Connect and its JDBC sink, half an hour
	$(BENCH) -only '$(or $(ONLY),debezium-*)'

bench-check: ## hold allocations, bytes and statements per row against the committed baseline; UPDATE=1 writes it anew
	go run ./integration/bench/check $(if $(UPDATE),-update)

soak: ## seeds of the simulation for SOAK=1h (SEEDS=n runs n, SEED=n repeats one), then KILLS=5 rounds of kills at other passes
	go test -count=1 -timeout=0 ./framework/simtest -run 'TestSim$$' -v $(if $(SEED),-seed=$(SEED),$(if $(SEEDS),-seeds=$(SEEDS),-soak=$(or $(SOAK),1h)))
	$(if $(SEED),,bash integration/kills/soak.sh $(or $(KILLS),5))

model: ## have Spin check the two protocols, and that leaving out any guard is seen
	@bash integration/deps.sh spin cxx
	@exec bash integration/model/check.sh

build: $(patsubst cmd/%/main.go,bin/%,$(wildcard cmd/*/main.go)) ## build every program into bin/

deps: ## install what the machine lacks: PostgreSQL with PostGIS, Java 17, Maven, Python, a C++ toolchain
	@bash integration/deps.sh
	@go run ./integration/engines/fetch

clean: ## remove what was built
	rm -rf bin

# Every program is static, but for the two that hold DuckDB: it is C++, linked in through cgo. Where no C++ program links,
# syncline is built without it and duckdb-sink not at all. FORCE: what is up to date is the go command's business.

CXX_LINKS = $(shell bash integration/deps.sh has cxx && echo yes)

bin/%: FORCE
	CGO_ENABLED=0 go build -trimpath -o $@ ./cmd/$*

bin/syncline: FORCE
	CGO_ENABLED=$(if $(CXX_LINKS),1,0) go build -trimpath -o $@ ./cmd/syncline

bin/duckdb-sink: FORCE
	$(if $(CXX_LINKS),CGO_ENABLED=1 go build -trimpath -o $@ ./cmd/duckdb-sink,\
	  @echo 'duckdb-sink is left out: no C++ program links here (make deps installs what it takes)' >&2)
