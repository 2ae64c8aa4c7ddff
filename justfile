# One recipe a habit; each is a thin line over cargo.

# Everything that runs: servers, tables, sample catalogue, API on 127.0.0.1:8080.
up *ARGS:
    cargo run --release -- up {{ARGS}}

# What must be clean before a commit.
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests, on throw-away servers of their own.
test *ARGS:
    cargo test --workspace {{ARGS}}

# The built shop, killed so many times under load; see docs/RELIABILITY.md.
torture KILLS='200':
    cargo build
    DAYBOOK_KILLS={{KILLS}} cargo test -p scenarios --test torture -- --nocapture

# A retailer's invoices through the command path, reconciled.
import FILE *ARGS:
    cargo run --release -- import retail {{FILE}} {{ARGS}}

# What the shop promises, played in memory; see docs/SCENARIOS.md.
scenarios *ARGS:
    cargo run -- scenario run {{ARGS}}

# The descriptions that /openapi.json and /asyncapi.json serve, written anew from the code.
documents:
    DAYBOOK_WRITE_DOCUMENTS=1 cargo test -p api --lib openapi::

# One benchmark, ours and its baseline in one run; see docs/BENCHMARKS.md.
bench NAME *ARGS:
    cargo bench --workspace --bench {{NAME}} -- {{ARGS}}
