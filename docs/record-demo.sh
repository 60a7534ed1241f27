#!/bin/sh
# Records `cargo xtask demo` as docs/demo.svg, and the trace of an order as docs/pictures/trace.svg. Needs Python and Node.js. Run
# `cargo xtask up` first, so that the recordings show these commands alone.
set -eu
cd "$(dirname "$0")/.."
python3 -m venv .local/tools/record
.local/tools/record/bin/pip install --quiet asciinema==2.4.0

# record FILE COLUMNS ROWS COMMAND [OPTION OF SVG-TERM]
record() {
  .local/tools/record/bin/asciinema rec --quiet --overwrite --cols "$2" --rows "$3" --idle-time-limit 1 --command "$4" .local/record.cast
  npx --yes svg-term-cli@2.1.1 --in .local/record.cast --out "$1" --window --no-optimize $5
}

record docs/demo.svg 112 34 'cargo xtask demo' ''
# Twice: the first order finds cold functions.
cargo xtask order --json > /dev/null
order=$(cargo xtask order --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["order_id"])')
sleep 3
# `--at` shows the end, without an animation.
record docs/pictures/trace.svg 148 70 "CLICOLOR_FORCE=1 cargo --quiet xtask trace $order 2>/dev/null | head -68" '--at 100000'
