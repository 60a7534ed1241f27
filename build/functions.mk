# How `sam build` makes the functions: docs/decisions/0005-build-profile.md.
#
# SAM runs `make build-<name in template.yaml>` for each function, at the root of the repository, and takes what it then finds in
# ARTIFACTS_DIR. It has no other way to tell make the architecture than the folder that the Makefile is in.

FLAG_x86_64 := --x86-64
FLAG_arm64 := --arm64
PACKAGES := $(sort $(patsubst lambdas/%/Cargo.toml,%,$(wildcard lambdas/*/Cargo.toml)))
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARIES := $(TARGET_DIR)/lambda/$(ARCHITECTURE)

# One build of all functions, so that dependencies have one set of features and are compiled once: for the functions after the
# first, cargo finds nothing to do. SAM shows what make prints as it comes, but errors at the end: cargo's progress is output.
BUILD = cargo lambda build --release $(FLAG_$(ARCHITECTURE)) --lambda-dir "$(BINARIES)" --locked \
	--bins $(addprefix --package ,$(PACKAGES)) 2>&1
# `sam build --parallel` runs make for all functions at once, and two `cargo lambda` would take each other's files away.
LOCKED = mkdir -p "$(TARGET_DIR)" && $(if $(shell command -v flock),flock "$(TARGET_DIR)/functions.lock") sh -c
# OrdersApi is made by lambdas/*/src/bin/orders-api.rs.
binary = $(shell echo $1 | sed -E -e 's/([A-Z])([A-Z][a-z])/\1-\2/g' -e 's/([a-z0-9])([A-Z])/\1-\2/g' | tr '[:upper:]' '[:lower:]')

.PHONY: functions tools

functions: tools
	@$(LOCKED) '$(BUILD)'

build-%: tools
	@test -e lambdas/*/src/bin/$(call binary,$*).rs || \
		{ echo "The function $* has no binary: write lambdas/<service>/src/bin/$(call binary,$*).rs" >&2; exit 1; }
	@$(LOCKED) '$(BUILD) && cp "$(BINARIES)/$(call binary,$*)/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"'

tools:
	@command -v cargo >/dev/null || { echo "There is no cargo on the path. Install Rust: https://rustup.rs" >&2; exit 1; }
	@command -v cargo-lambda >/dev/null || \
		{ echo "There is no cargo-lambda on the path. Install it and zig: pip3 install cargo-lambda ziglang" >&2; exit 1; }
