#!/bin/sh
# Records `cargo xtask demo` as docs/demo.svg. Needs Python and Node.js. Run `cargo xtask up` first, so that the recording shows
# the demo alone.
set -eu
cd "$(dirname "$0")/.."
python3 -m venv .local/tools/record
.local/tools/record/bin/pip install --quiet asciinema==2.4.0
.local/tools/record/bin/asciinema rec --quiet --overwrite --cols 112 --rows 34 --idle-time-limit 1 \
  --command 'cargo xtask demo' .local/demo.cast
npx --yes svg-term-cli@2.1.1 --in .local/demo.cast --out docs/demo.svg --window --no-optimize
