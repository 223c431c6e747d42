#!/usr/bin/env python3
"""Writes the map of ARCHITECTURE.md (a line per file) from what each file says it is.

  map.py          rewrites the part between the markers
  map.py --check  exits 1 when it would change
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
BEGIN, END = "<!-- map:begin -->", "<!-- map:end -->"
FOLDERS = [
    ("src", "the program"), ("src/core", "memory, JSON, fibers, clocks, crypto, log"),
    ("src/net", "HTTP, WebSocket and TLS, both directions"), ("src/store", "SQLite"),
    ("src/config", "the configuration"), ("src/sessions", "keys, rows, transcripts, inputs, lanes"),
    ("src/models", "language models"), ("src/secrets", "the store of credentials"),
    ("src/approvals", "what waits for a person"), ("src/exec", "commands: read, bound, sandboxed, run"), ("src/web", "pages, searches, endpoints"),
    ("src/channels", "messaging networks and what they have in common"), ("src/tools", "what an agent can do"), ("src/agent", "turns"),
    ("src/gateway", "protocol v4"), ("src/gateway/methods", "the RPC methods, a family per file"),
    ("src/http_api", "the HTTP surface"), ("src/cli", "the command line"), ("ui", "the web page"),
    ("ui/src", "its start"), ("ui/src/gateway", "the connection, the way in"), ("ui/src/chat", "the conversation, pure"),
    ("ui/src/app", "state and controllers"), ("ui/src/attention", "what waits for a person"), ("ui/src/channels", "networks"), ("ui/src/markdown", "text of models, made safe"), ("ui/src/view", "components"), ("scripts", "build and test helpers"), ("bench", "the benchmark"),
]


def first_words(path):
    text = open(path, encoding="utf-8").read(1500)
    name = os.path.basename(path)
    m = re.search(r"(?:/\*+|//|#|--|\"\"\"|<!--)\s*\n?\s*\*?\s*(?:[\w./-]*" + re.escape(name) + r"\s+(?:-|:)\s+)?(.+?)"
                  r"(?:\n\s*(?:\*|//|#|--)?\s*\n|\*/|\"\"\"|\n\s*\*/|-->)", text, re.S)
    if not m:
        return ""
    words = re.sub(r"\s*\n\s*(?:\*|//|#|--)?\s*", " ", m.group(1)).strip()
    words = re.sub(r"^#!.*?\s(?=[a-z])", "", words)
    words = re.split(r"(?<=[a-z0-9)\"])\.(?:\s|$)", words)[0]
    return words[:1].lower() + words[1:] if words[1:2].islower() or words[:2] == "A " else words


def rows(folder):
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", folder],
                           capture_output=True, text=True, check=True).stdout.split()
    files = [f for f in files if os.path.dirname(f) == folder and os.path.isfile(f)]
    stems = {}
    for f in sorted(files):
        base, ext = os.path.splitext(os.path.basename(f))
        if ext not in (".c", ".h", ".ts", ".tsx", ".css", ".py", ".sh", ".mjs"):
            continue
        stems.setdefault(base if ext in (".c", ".h") else os.path.basename(f), []).append(f)
    out = []
    for stem, group in stems.items():
        # The header says what it is; a file without one speaks for itself.
        said = next((w for w in (first_words(f) for f in sorted(group, key=lambda f: not f.endswith(".h"))) if w), "")
        name = stem + (" .c .h" if len(group) == 2 else os.path.splitext(group[0])[1] if "." not in stem else "")
        out.append(f"| `{name}` | {said.replace('|', chr(92) + '|')} |")
    return out


def check_folders():
    """A folder that nobody named here would be missing from the map without a word."""
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/*.c", "ui/src/*.ts", "ui/src/*.tsx"],
                           capture_output=True, text=True, check=True).stdout.split()
    missing = {os.path.dirname(f) for f in files if os.path.isfile(f)} - {folder for folder, _ in FOLDERS}
    if missing:
        sys.exit(f"scripts/map.py: FOLDERS does not name {', '.join(sorted(missing))}")


def build():
    check_folders()
    parts = []
    for folder, what in FOLDERS:
        lines = rows(folder) if os.path.isdir(folder) else []
        if lines:
            parts.append(f"### {folder}/ — {what}\n\n| file | what it is |\n|---|---|\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


path = "ARCHITECTURE.md"
text = open(path, encoding="utf-8").read()
before, rest = text.split(BEGIN)
after = rest.split(END)[1]
new = before + BEGIN + "\n" + build() + END + after
if "--check" in sys.argv:
    if new != text:
        print("ARCHITECTURE.md: the map is not true any more: python3 scripts/map.py")
        sys.exit(1)
else:
    open(path, "w", encoding="utf-8").write(new)
