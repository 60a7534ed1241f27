#!/bin/sh
# Renders the diagrams docs/pictures/*.mmd as SVG, for readers whose viewer does not render Mermaid. Needs Node.js and Chromium.
# `cargo xtask test` fails if a picture is older than its source: the last line of a picture has the hash of its source.
set -eu
cd "$(dirname "$0")/pictures"
browser=$(command -v "${CHROMIUM:-chromium}") || { echo "Chromium is not on the PATH. Install it, or set CHROMIUM." >&2; exit 1; }
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
# The sandbox of Chromium does not work for root, as in a container.
printf '{"executablePath":"%s","args":["--no-sandbox"]}' "$browser" > "$settings"
export PUPPETEER_SKIP_DOWNLOAD=1
for source in *.mmd; do
  picture="${source%.mmd}.svg"
  hash="<!-- $(sha256sum "$source" | cut -d ' ' -f 1) -->"
  if tail -n 1 "$picture" 2>/dev/null | grep -qxF -- "$hash"; then continue; fi
  echo "$source"
  npx --yes @mermaid-js/mermaid-cli@11.12.0 --quiet --puppeteerConfigFile "$settings" --configFile mermaid.json \
    --svgId "${source%.mmd}" --backgroundColor white --input "$source" --output "$picture"
  npx --yes svgo@4.0.0 --quiet --precision 1 "$picture"
  printf '\n%s\n' "$hash" >> "$picture"
done
