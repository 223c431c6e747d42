#!/usr/bin/env python3
"""Runs the suites and counts: the last line is "N passed, N failed".

  test.py check   unit tests and corpora, style gates (under two minutes)
  test.py all     that, plus sanitizers, clang-tidy, fuzz smoke, the page, end to end
  test.py lint    style gates, clang-tidy
  test.py fuzz    every fuzz target for FUZZ_SECONDS (60) each
  test.py NAME... single suites: unit asan gates tidy fuzz ui e2e crash crash-asan
"""
from concurrent.futures import ThreadPoolExecutor
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
JOBS = str(os.cpu_count() or 2)
FILE_SECONDS = 1200  # a file of end-to-end tests that takes longer hangs: it is ended, the others go on
MUTE_SECONDS = 300   # … and one that has told of nothing for so long
SLOW_SECONDS = 30   # one that takes longer is named
results = []        # (suite, passed, failed, names of what failed)


def run(cmd, env=None, timeout=1800):
    """Runs a command; gives exit code and output (stderr folded in)."""
    full = dict(os.environ, **(env or {}))
    try:
        p = subprocess.run(cmd, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, timeout=timeout)
        return p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode(errors="replace") + f"\n[timed out after {timeout} s]"


def record(suite, started, passed, failed, details="", names=()):
    """What failed is named first, then told."""
    results.append((suite, passed, failed, list(names) or ([suite] if failed else [])))
    took = time.time() - started
    print(f"{'ok  ' if not failed else 'FAIL'} {suite:<12} {passed} passed, {failed} failed ({took:.0f} s)", flush=True)
    for name in names if failed else ():
        print(f"     - {name}", flush=True)
    if failed and details:
        print("\n".join("     " + line for line in details.strip().splitlines()[-200:]), flush=True)


def step(suite, cmd, env=None, timeout=1800):
    """A suite that is one command: it passes or fails as one."""
    started = time.time()
    code, out = run(cmd, env, timeout)
    record(suite, started, int(code == 0), int(code != 0), out)
    return code == 0


def meson_build(directory, *options, cc="gcc"):
    env = {"CC": cc}
    if not os.path.exists(f"{directory}/build.ninja"):
        code, out = run(["meson", "setup", directory, *options], env)
        if code:
            return out
    code, out = run(["ninja", "-C", directory, "-j", JOBS], env)
    return out if code else None


def meson_tests(suite, directory, env=None, names=(), multiplier=1):
    started = time.time()
    log = f"{directory}/meson-logs/testlog.json"
    if os.path.exists(log):
        os.remove(log)
    run(["meson", "test", "-C", directory, "--no-rebuild", "-t", str(multiplier), "--num-processes", JOBS, *names], env)
    passed = failed = 0
    details, names = [], []
    for line in open(log) if os.path.exists(log) else []:
        t = json.loads(line)
        oks = len(re.findall(r"^ok \d+", t.get("stdout", ""), re.M))
        wrong = re.findall(r"^not ok \d+ - (.*)", t.get("stdout", ""), re.M)
        bad = len(wrong)
        if t["result"] != "OK":
            bad = max(bad, 1)
            names += [f"{t['name']}: {what}" for what in wrong or [t["result"]]]
            details.append(f"{t['name']}: {t['result']}\n{t.get('stdout', '')[-3000:]}\n{t.get('stderr', '')[-5000:]}")
        elif not oks:
            oks = 1
        passed += oks
        failed += bad
    if not passed and not failed:
        failed, details = 1, ["no test ran"]
    record(suite, started, passed, failed, "\n".join(details), names)


def built(suite, *args, **kw):
    started = time.time()
    out = meson_build(*args, **kw)
    if out is not None:
        record(suite + " (build)", started, 0, 1, out)
    return out is None


def suite_unit():
    if built("unit", "build-check", "-Dui=disabled"):
        meson_tests("unit", "build-check")


# clang: the second compiler with -Werror, and its sanitizers.
ASAN_OPTIONS = ("-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dui=disabled")
ASAN_ENV = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=0",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def suite_asan():
    if built("asan", "build-asan", *ASAN_OPTIONS, cc="clang"):
        meson_tests("asan", "build-asan", ASAN_ENV, multiplier=4)


def suite_gates():
    step("gates", ["python3", "scripts/gates.py"])


def suite_tidy():
    started = time.time()
    # The compile commands of the clang build: gcc has options that clang-tidy does not know.
    if not built("tidy", "build-asan", *ASAN_OPTIONS, cc="clang"):
        return
    files = sorted(glob.glob("src/**/*.c", recursive=True))
    code, out = run(["run-clang-tidy", "-quiet", "-p", "build-asan", "-j", JOBS, r"src/.*\.c$"], timeout=2400)
    warnings = sorted(set(re.findall(r"^.*(?:warning|error): .*$", out, re.M)))
    record("tidy", started, 0 if warnings or code else len(files), len(warnings) or int(code != 0),
           "\n".join(warnings) or out)


def fuzz(exe, seconds, seed):
    """One target; gives its name, exit code and output. Seed 0: another way each time."""
    name = os.path.basename(exe)[len("fuzz_"):]
    work = f"build-fuzz/corpus/{name}"
    os.makedirs(work, exist_ok=True)
    cmd = [exe, work, f"-seed={seed}", f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=0",
           f"-artifact_prefix=build-fuzz/crash-{name}-"]
    if os.path.isdir(f"tests/fuzz/corpus/{name}"):
        cmd.insert(2, f"tests/fuzz/corpus/{name}")
    dictionary = f"tests/fuzz/dict/{name}.dict"
    if os.path.exists(dictionary):
        cmd.append(f"-dict={dictionary}")
    return name, *run(cmd, timeout=seconds + 120)


def suite_fuzz(seconds=None, seed=0):
    seconds = seconds or int(os.environ.get("FUZZ_SECONDS", "60"))
    if not built("fuzz", "build-fuzz", "-Dfuzz=true", "-Dtests=false", "-Dui=disabled", "-Db_lundef=false", cc="clang"):
        return
    started = time.time()
    targets = sorted(exe for exe in glob.glob("build-fuzz/tests/fuzz/fuzz_*") if not os.path.isdir(exe))
    with ThreadPoolExecutor(int(JOBS)) as pool:
        done = list(pool.map(lambda exe: fuzz(exe, seconds, seed), targets))
    bad = [(name, out) for name, code, out in done if code]
    record("fuzz", started, len(done) - len(bad), len(bad) or int(not done),
           "\n".join(f"{name}:\n{out[-3000:]}" for name, out in bad), [name for name, _ in bad])


def stem(path):
    return os.path.basename(path).split(".")[0]


def tap_count(out, *words):
    return sum(int(n) for word in words for n in re.findall(rf"^# {word} (\d+)", out, re.M))


# A result of node's TAP with its details: indent, "not ", name, details.
TAP_RESULT = re.compile(r"^( *)(not )?ok \d+ - (.*)\n(?:\1  ---\n((?:\1  .*\n|\n)*?)\1  \.\.\.\n)?", re.M)


def tap_failures(out):
    """Names of the tests that failed or were skipped, with what is told of each; who failed by its subtests only is left out."""
    return [(m[3], m[4] or "") for m in TAP_RESULT.finditer(out)
            if re.search(r" # (SKIP|TODO)", m[3]) or (m[2] and "failureType: 'subtestsFailed'" not in (m[4] or ""))]


class NodeFile:
    """One file of tests, run by a process of its own with a deadline of its own."""

    def __init__(self, path, env, cwd):
        self.name = os.path.basename(path)
        started = time.time()
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            p = subprocess.Popen(["node", "--test-reporter=tap", path], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT)
            self.is_late = self.wait(p, log)
            log.seek(0)
            self.out = log.read()
        self.seconds = time.time() - started
        self.passed = tap_count(self.out, "pass")
        self.failures = tap_failures(self.out)
        self.failed = tap_count(self.out, "fail", "cancelled", "skipped", "todo")
        if self.is_late or (p.returncode and not self.failed) or not (self.passed or self.failed):
            self.failed += 1
            last = ([m[3] for m in TAP_RESULT.finditer(self.out)] or ["nothing"])[-1]
            how = f"ended after {self.seconds:.0f} s, as it hung" if self.is_late else f"exit {p.returncode}"
            self.failures.append((f"{how}; the last result was of: {last}", ""))

    @staticmethod
    def wait(p, log):
        """True when it had to be ended: politely, so that it ends what it started, then not."""
        began = heard = time.time()
        size = 0
        while time.time() - began < FILE_SECONDS and time.time() - heard < MUTE_SECONDS:
            try:
                p.wait(1)
                return False
            except subprocess.TimeoutExpired:
                if size != (size := os.fstat(log.fileno()).st_size):
                    heard = time.time()
        for end, seconds in ((p.terminate, 20), (p.kill, None)):
            try:
                end()
                p.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                pass
        return True

    def told(self):
        """What a reader needs: the failures, and what was logged beside them."""
        log = re.sub(r"^(TAP version.*| *#.*| *\d+\.\.\d+)\n", "", TAP_RESULT.sub("", self.out), flags=re.M)
        return "\n".join([f"== {self.name}", *(f"-- {name}\n{text}" for name, text in self.failures), *log.splitlines()[-60:]])


def end_leftovers(tmp):
    """Ends the processes that were started with this temporary folder; gives their names and those of files in it."""
    left = [n for n in os.listdir(tmp) if n.startswith("chela-")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if f"TMPDIR={tmp}".encode() not in f.read().split(b"\0"):
                    continue
            with open(f"/proc/{pid}/comm") as f:
                left.append(f"process {f.read().strip()}")
            os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # it has ended, or is somebody else's
    return sorted(left)


def node_tests(suite, files, alone=(), env=None, cwd=None):
    """Files of node:test, JOBS at a time; those of `alone` (which measure time) one by one after them."""
    started = time.time()
    beside = [f for f in files if stem(f) not in alone]
    done = []
    # A folder of their own for temporary files shows what is left; others than root look through it, too.
    with tempfile.TemporaryDirectory(prefix="ct-") as tmp:
        os.chmod(tmp, 0o711)
        full = dict(os.environ, TMPDIR=tmp, **(env or {}))
        for some, jobs in ((beside, int(os.environ.get("TEST_JOBS", JOBS))), ([f for f in files if f not in beside], 1)):
            with ThreadPoolExecutor(jobs) as pool:
                done += pool.map(lambda f: NodeFile(f, full, cwd), some)
        left = end_leftovers(tmp)
    bad = [f for f in done if f.failed]
    names = [f"{f.name}: {name}" for f in bad for name, _ in f.failures]
    record(suite, started, sum(f.passed for f in done), sum(f.failed for f in done), "\n".join(f.told() for f in bad), names)
    slow = sorted((f for f in done if f.seconds > SLOW_SECONDS), key=lambda f: -f.seconds)
    if slow:
        print("     over {} s: {}".format(SLOW_SECONDS, ", ".join(f"{stem(f.name)} {f.seconds:.0f}" for f in slow)), flush=True)
    if left:
        print(f"     left over: {', '.join(left)}", flush=True)


def suite_ui():
    if step("ui types", ["npm", "--prefix", "ui", "run", "--silent", "check"]):
        node_tests("ui", sorted(os.path.relpath(f, "ui") for f in glob.glob("ui/test/*.test.*")), cwd="ui")


def release():
    started = time.time()
    code, out = run(["make", "--no-print-directory", "build"])
    if code:
        record("release", started, 0, 1, out)
    return code == 0


# They assert how long something takes: nothing else runs beside them.
ALONE = {"cli", "hangs"}
# They take minutes: begun first, so that no processor waits for them at the end.
LONG = ("openclaw-cli", "channel-chaos")


def suite_e2e():
    if release():
        files = sorted(glob.glob("tests/e2e/*.test.mjs"), key=lambda f: (stem(f) not in LONG, f))
        node_tests("e2e", [f for f in files if f not in crash_files()], ALONE, {"CHELA_BIN": f"{ROOT}/build/chela"})


CRASH = ("stop", "crash")


def crash_files():
    return sorted(f for f in glob.glob("tests/e2e/*.test.mjs") if any(word in stem(f) for word in CRASH))


def suite_crash():
    if release():
        node_tests("crash", crash_files(), env={"CHELA_BIN": f"{ROOT}/build/chela"})


def suite_crash_asan():
    """What ends in the middle of something frees in an order of its own: the same with a gateway that looks at its memory."""
    if built("crash asan", "build-asan", *ASAN_OPTIONS, cc="clang"):
        node_tests("crash asan", crash_files(), env={"CHELA_BIN": f"{ROOT}/build-asan/chela", **ASAN_ENV})


SUITES = {"unit": suite_unit, "asan": suite_asan, "gates": suite_gates, "tidy": suite_tidy, "fuzz": suite_fuzz,
          "ui": suite_ui, "e2e": suite_e2e, "crash": suite_crash, "crash-asan": suite_crash_asan}
PLANS = {"check": ["gates", "unit"], "lint": ["gates", "tidy"],
         "all": ["gates", "unit", "asan", "ui", "e2e", "crash", "crash-asan", "fuzz", "tidy"]}


def main():
    wanted = sys.argv[1:] or ["check"]
    names = [n for w in wanted for n in PLANS.get(w, [w])]
    for n in names:
        if n not in SUITES:
            sys.exit(f"test.py: no suite '{n}' ({', '.join(SUITES)}; plans {', '.join(PLANS)})")
    for n in names:
        if n == "fuzz" and "all" in wanted:
            # The same way each time: what it finds here was there before. `make fuzz` looks further.
            suite_fuzz(int(os.environ.get("FUZZ_SECONDS", "6")), seed=1)
        else:
            SUITES[n]()
    passed = sum(r[1] for r in results)
    failed = sum(r[2] for r in results)
    for suite, _, _, what in results:
        for name in what[:40]:
            print(f"failed: {suite}: {name}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
