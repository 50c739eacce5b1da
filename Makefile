# The commands of this project. Each says what it does and ends clean.

.PHONY: demo test fuzz check

demo: ## The main job on a real API server, with everything it needs (the first time about ten minutes)
	@sh examples/demo/run

test: ## All tests: unit tests, and the integration tests on a real control plane, a real PostgreSQL and under GitHub's own description
	@sh tests/cluster/build >/dev/null
	@sh tests/referee/build >/dev/null
	@sh tests/postgres/build >/dev/null
	cargo test

SECONDS ?= 60
fuzz: ## Hostile input for every decoder; SECONDS=… for each target
	@sh fuzz/run $(SECONDS)

check: ## What CI asks for besides the tests
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
