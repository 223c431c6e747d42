#!/usr/bin/env python3
"""The style gates that a script can check (CONTRIBUTING.md explains each).

  size       files <= 1,000 lines (headers <= 300), functions <= 100 lines, nesting <= 5
  layers     a folder includes only folders below it
  map        every source file has its line in ARCHITECTURE.md
  comments   no // comments, TODO only with an issue number
  paths      no path of one machine, no registry host in lock files
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
problems = []

# Each folder may include itself and those named here; listed bottom up.
LAYERS = {
    "core": [],
    "net": ["core"],
    "store": ["core"],
    "config": ["core"],
    "sessions": ["core", "store"],
    "models": ["core", "net", "store", "config"],
    "secrets": ["core", "store", "config"],
    "approvals": ["core", "store"],
    "exec": ["core", "net", "store", "config"],
    "web": ["core", "net", "store", "config", "secrets"],
    "channels": ["core", "net", "store", "config", "sessions", "secrets"],
    "tools": ["core", "net", "store", "config", "sessions", "secrets", "approvals", "exec", "web", "channels"],
    "agent": ["core", "net", "store", "config", "sessions", "models", "secrets", "approvals", "exec", "web", "channels",
              "tools"],
    "gateway": ["core", "net", "store", "config", "sessions", "models", "secrets", "approvals", "exec", "web", "channels",
                "tools", "agent"],
    "http_api": ["core", "net", "store", "config", "sessions", "models", "secrets", "approvals", "exec", "web", "channels",
                 "tools", "agent", "gateway"],
    "cli": ["core", "net", "store", "config", "sessions", "models", "secrets", "approvals", "exec", "web", "channels",
            "tools", "agent", "gateway", "http_api"],
}
# gw_start wires the HTTP routes in; it is the one arrow upwards, and it is to a table only.
LAYER_EXCEPTIONS = {("src/gateway/gw_start.c", "http_api/routes.h")}


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                         capture_output=True, text=True, check=True).stdout
    return [f for f in out.splitlines() if os.path.isfile(f)]


def bad(where, what):
    problems.append(f"{where}: {what}")


def strip(text):
    """Comments and strings blanked, lines kept."""
    def blank(m):
        s = m.group(0)
        return re.sub(r"[^\n]", " ", s) if s.startswith("/") else '"' + re.sub(r"[^\n]", " ", s[1:-1]) + '"'
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def check_functions(path, code):
    lines = code.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start is not None:
            length = i - start
            name = next((lines[j] for j in range(start - 1, max(start - 6, -1), -1) if "(" in lines[j]), "?").strip()
            if length > 100:
                bad(f"{path}:{start + 1}", f"a function of {length} lines (100 at most): {name[:60]}")
            start = None
        elif start is not None:
            depth = len(line) - len(line.lstrip("\t"))
            first = line.lstrip("\t")
            if depth > 5 and re.match(r"(if|for|while|switch|do)\b", first):
                bad(f"{path}:{i + 1}", "nested more than five levels deep")


def check_c(path):
    text = open(path, encoding="utf-8").read()
    count = text.count("\n")
    limit = 300 if path.endswith(".h") else 1000
    if count > limit:
        bad(path, f"{count} lines ({limit} at most): which second noun lives there?")
    code = strip(text)
    if path.endswith(".c"):
        check_functions(path, code)
    for i, line in enumerate(text.split("\n"), 1):
        if re.search(r"(^|\s)//", strip(line)) or re.match(r"\s*//", line):
            bad(f"{path}:{i}", "a // comment")
        if path != "src/core/auto.h" and re.search(r"\bCH_AUTO(_\w+|\(\w+\))?\s[^=;(]*;", line):
            bad(f"{path}:{i}", "an owned variable without a first value: an early return would free what was never set")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) and not re.search(r"(TODO|FIXME)\(#\d+\)", line):
            bad(f"{path}:{i}", "TODO without an issue number: TODO(#12)")
    if path.startswith("src/") and not text.startswith("/*"):
        bad(path, "does not open with a comment that says what it is")
    folder = path.split("/")[1] if path.startswith("src/") and path.count("/") > 1 else None
    if folder:
        for inc in re.findall(r'^#include "([^"]+)"', text, re.M):
            top = inc.split("/")[0]
            if top == folder or (path, inc) in LAYER_EXCEPTIONS:
                continue
            if top not in LAYERS:
                bad(path, f'includes "{inc}": write the path from src/')
            elif top not in LAYERS.get(folder, []):
                bad(path, f'includes "{inc}": arrows point down only ({folder} may use {", ".join(LAYERS[folder])})')


def check_map():
    p = subprocess.run([sys.executable, "scripts/map.py", "--check"], capture_output=True, text=True)
    if p.returncode:
        bad("ARCHITECTURE.md", (p.stdout + p.stderr).strip().splitlines()[-1])


def check_paths():
    words = re.compile(r"(^|[^A-Za-z0-9_.-])/(?:work|farm)/|/" + "root/")
    for f in tracked():
        if f.endswith((".png", ".ico", ".sqlite", ".woff2")) or f.startswith(("tests/fuzz/corpus/", ".ci/")):
            continue
        try:
            text = open(f, encoding="utf-8").read()
        except UnicodeDecodeError:
            continue
        if f != "scripts/gates.py" and words.search(text):
            bad(f, "names a path of one machine")
        if f.endswith("package-lock.json") and '"resolved"' in text:
            bad(f, "names a registry's host: npm install --omit-lockfile-registry-resolved")
        if f.endswith((".ts", ".tsx", ".mjs")) and text.count("\n") > 1000:
            bad(f, "more than 1,000 lines")


for source in tracked("src/*.c", "src/*.h", "tests/*.c", "tests/*.h", "bench/*.c"):
    check_c(source)
check_map()
check_paths()
for p in problems:
    print(p)
print(f"gates: {len(problems)} problems")
sys.exit(1 if problems else 0)
