# Two verbs. Everything else is `cargo` or `cargo xtask`.
.PHONY: demo test

demo:
	cargo build --locked -p murre-cli
	"$${CARGO_TARGET_DIR:-target}/debug/murre" demo

test:
	scripts/test.sh
