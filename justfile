# Short names for the commands that README.md gives in full; nothing needs `just`.

# list these recipes
default:
    @just --list

# everything that must hold before a change lands
verify:
    scripts/test

# the tests; or any steps of scripts/test: `just test deny docs`
test *STEPS="tests":
    scripts/test {{STEPS}}

# format the code
fmt:
    cargo fmt --all

# what needs no test run: formatting, lints, dependencies
lint:
    scripts/test fmt clippy architecture deny

# check what is in deploy/, by Helm's library, schemas and linters; starts nothing
deploy:
    scripts/test deploy

# try a running server against its description, and a client made of it
contract:
    scripts/test contract

# a sample build through the real Claude CLI, with no key and no network
demo:
    cargo run --release -- demo

# measure latency and throughput of the embedded stack
bench *ARGS:
    cargo run --release -- bench {{ARGS}}

# write openapi/openapi.json from the code
openapi:
    cargo run -- openapi > openapi/openapi.json
