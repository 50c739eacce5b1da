# The commands of this project. Each says what it does and ends clean.

.PHONY: demo test model e2e image plans chaos planted mutants fuzz deny check

demo: ## The main job on a real API server, with everything it needs (the first time about ten minutes)
	@sh examples/demo/run

test: ## All tests: unit tests, and the integration tests on a real control plane, a real PostgreSQL and under GitHub's own description
	@sh tests/cluster/build >/dev/null
	@sh tests/referee/build >/dev/null
	@sh tests/postgres/build >/dev/null
	cargo test --workspace

model: ## The lock, explored twenty times as far as by `make test`, in an hour; prints what breaks without each rule
	MODEL=long cargo test --workspace --test model -- --nocapture --test-threads=1

e2e: ## Helm, kubectl and CronJobs on a real node, or in the cluster that KUBECONFIG names; SHORT=1 for the main job only
	@sh tests/node/e2e $(if $(SHORT),short)

image: ## The image, in target/image/singletrack.tar, without a network
	@sh tests/image/build

plans: ## A fault at each place of each story, and what is wrong in a document: half an hour at most; PLAN='…' tells one of them
	@sh tests/cluster/build >/dev/null
	@command -v strace >/dev/null || sh tests/packages plans strace
	PLANS=all cargo test --test it -- plans:: $(if $(PLAN),,mutate::) --nocapture

MINUTES ?= 60
chaos: ## Three operators on either database, a fault every few seconds; SEED=… MINUTES=…; the last line sums up
	@sh tests/cluster/build >/dev/null
	@sh tests/postgres/build >/dev/null
	@command -v strace >/dev/null || sh tests/packages chaos strace
	MINUTES=$(MINUTES) cargo test --test it -- storm::whatever --nocapture

planted: ## Fifteen bugs, each planted into a copy of the tree and found there; PLANTED=name plants one
	@sh tests/cluster/build >/dev/null
	@sh tests/postgres/build >/dev/null
	@command -v patch >/dev/null || sh tests/packages planted patch
	@sh tests/planted/run

mutants: ## Every change of what decides, one at a time, and the unit tests must notice; needs cargo-mutants
	@sh tests/pure/mutants

SECONDS ?= 60
fuzz: ## Hostile input for every decoder; SECONDS=… for each target
	@sh fuzz/run $(SECONDS)

deny: ## Licences, doubles and sources of all crates against deny.toml, without a network; needs cargo-deny
	cargo deny --offline check bans licenses sources

check: ## What CI asks for besides the tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
