# How `sam build` builds the functions: docs/decisions/0005-build-profile.md.
#
# SAM runs `make build-<logical id>` for each function in template.yaml at the root of the repository, and packages the contents
# of ARTIFACTS_DIR. The only way for SAM to pass the architecture to make is the folder of the Makefile.

FLAG_x86_64 := --x86-64
FLAG_arm64 := --arm64
PACKAGES := $(sort $(patsubst lambdas/%/Cargo.toml,%,$(wildcard lambdas/*/Cargo.toml)))
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARIES := $(TARGET_DIR)/lambda/$(ARCHITECTURE)

# One build for all functions, so that dependencies have one set of features and are compiled once: after the first function,
# cargo has nothing left to do. SAM streams make's standard output but shows standard error only at the end, hence 2>&1.
BUILD = cargo lambda build --release $(FLAG_$(ARCHITECTURE)) --lambda-dir "$(BINARIES)" --locked \
	--bins $(addprefix --package ,$(PACKAGES)) 2>&1
# `sam build --parallel` runs make for all functions at once, and parallel `cargo lambda` processes move each other's files.
LOCKED = mkdir -p "$(TARGET_DIR)" && $(if $(shell command -v flock),flock "$(TARGET_DIR)/functions.lock") sh -c
# The binary of the function OrdersApi is lambdas/*/src/bin/orders-api.rs.
binary = $(shell echo $1 | sed -E -e 's/([A-Z])([A-Z][a-z])/\1-\2/g' -e 's/([a-z0-9])([A-Z])/\1-\2/g' | tr '[:upper:]' '[:lower:]')

.PHONY: functions tools

functions: tools
	@$(LOCKED) '$(BUILD)'

build-%: tools
	@test -e lambdas/*/src/bin/$(call binary,$*).rs || \
		{ echo "The function $* has no binary: add lambdas/<service>/src/bin/$(call binary,$*).rs" >&2; exit 1; }
	@$(LOCKED) '$(BUILD) && cp "$(BINARIES)/$(call binary,$*)/bootstrap" "$(ARTIFACTS_DIR)/bootstrap"'

tools:
	@command -v cargo >/dev/null || { echo "cargo is not on the PATH. Install Rust: https://rustup.rs" >&2; exit 1; }
	@command -v cargo-lambda >/dev/null || \
		{ echo "cargo-lambda is not on the PATH. Install it and zig: pip3 install cargo-lambda ziglang" >&2; exit 1; }
