#!/usr/bin/env python3
"""Writes the schema steps as a C table: embed-sql.py OUT.c 001.sql 002.sql ...

Comments and indentation go, so that sqlite_master stays small: SQLite parses
it at each start.
"""
import os
import re
import sys


def strip(text):
    lines = (re.sub(r"\s*--.*$", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def main():
    out, sources = sys.argv[1], sys.argv[2:]
    rows = ["/* Made by scripts/embed-sql.py from src/store/schema; do not edit. */",
            '#include "store/migrate.h"', "", "const struct migration db_migrations[] = {"]
    for number, path in enumerate(sources, 1):
        if os.path.basename(path) != "%03d.sql" % number:
            sys.exit("%s: expected %03d.sql; schema steps have no gaps" % (path, number))
        with open(path, encoding="utf-8") as f:
            lines = strip(f.read())
        rows.append("\t{ %d," % number)
        for line in lines:
            rows.append('\t  "%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"'))
        rows.append("\t},")
    rows += ["};", "const size_t db_migrations_count = %d;" % len(sources), ""]
    with open(out, "w", encoding="utf-8") as f:
        f.write("\n".join(rows))


main()
