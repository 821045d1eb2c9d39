# Two verbs. Everything else is `cargo` or `cargo xtask`.
.PHONY: demo test

demo:
	cargo build --locked -p murre-cli
	target/debug/murre demo

test:
	scripts/test.sh
