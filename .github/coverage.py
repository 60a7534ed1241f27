"""Prints the line coverage of each crate, from the JSON summary of cargo llvm-cov, as a Markdown table."""

import json
import os
import sys
from collections import defaultdict

with open(sys.argv[1]) as file:
    files = json.load(file)["data"][0]["files"]
crates = defaultdict(lambda: [0, 0])
for entry in files:
    path = os.path.relpath(entry["filename"])
    parts = path.split(os.sep)
    crate = os.sep.join(parts[: parts.index("src")]) if "src" in parts else os.sep.join(parts[:2])
    lines = entry["summary"]["lines"]
    crates[crate][0] += lines["covered"]
    crates[crate][1] += lines["count"]
print("| crate | lines | covered |\n|---|--:|--:|")
for crate, (covered, count) in sorted(crates.items()):
    print(f"| {crate} | {count} | {covered / max(count, 1):.0%} |")
