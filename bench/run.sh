#!/bin/sh
# run.sh: builds the load generator and the model mock, then measures (bench/run.py).
#   QUICK=1      a minute instead of ten        REFERENCE=1  the reference from npm beside it
#   BUDGETS=1    exit 1 when a budget is missed ONLY=start,rpc  some parts
set -eu
cd "$(dirname "$0")/.."
out=${BENCH_OUT:-.cache/bench}
mkdir -p "$out"
for tool in load mock_model; do
	[ "$out/$tool" -nt "bench/$tool.c" ] || cc -O2 -D_GNU_SOURCE -o "$out/$tool" "bench/$tool.c"
done
exec python3 bench/run.py "$out"
