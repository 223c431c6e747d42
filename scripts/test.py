#!/usr/bin/env python3
"""Runs the suites and counts: the last line is "N passed, N failed".

  test.py check   unit tests and corpora, style gates (under two minutes)
  test.py all     that, plus sanitizers, clang-tidy, fuzz smoke, the page, end to end
  test.py lint    style gates, clang-tidy
  test.py fuzz    every fuzz target for FUZZ_SECONDS (60) each
  test.py NAME... single suites: unit asan gates tidy fuzz ui e2e crash
"""
import glob
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
JOBS = str(os.cpu_count() or 2)
results = []  # (suite, passed, failed, seconds, details)


def run(cmd, env=None, timeout=1800):
    """Runs a command; gives exit code and output (stderr folded in)."""
    full = dict(os.environ, **(env or {}))
    try:
        p = subprocess.run(cmd, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, timeout=timeout)
        return p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode(errors="replace") + f"\n[timed out after {timeout} s]"


def record(suite, started, passed, failed, details=""):
    results.append((suite, passed, failed))
    took = time.time() - started
    print(f"{'ok  ' if not failed else 'FAIL'} {suite:<12} {passed} passed, {failed} failed ({took:.0f} s)", flush=True)
    if failed and details:
        print("\n".join("     " + line for line in details.strip().splitlines()[-120:]), flush=True)


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
    details = []
    for line in open(log) if os.path.exists(log) else []:
        t = json.loads(line)
        oks = len(re.findall(r"^ok \d+", t.get("stdout", ""), re.M))
        bad = len(re.findall(r"^not ok \d+", t.get("stdout", ""), re.M))
        if t["result"] != "OK":
            bad = max(bad, 1)
            details.append(f"{t['name']}: {t['result']}\n{t.get('stdout', '')[-3000:]}\n{t.get('stderr', '')[-5000:]}")
        elif not oks:
            oks = 1
        passed += oks
        failed += bad
    if not passed and not failed:
        failed, details = 1, ["no test ran"]
    record(suite, started, passed, failed, "\n".join(details))


def built(suite, *args, **kw):
    started = time.time()
    out = meson_build(*args, **kw)
    if out is not None:
        record(suite + " (build)", started, 0, 1, out)
    return out is None


def suite_unit():
    if built("unit", "build-check", "-Dui=disabled"):
        meson_tests("unit", "build-check")


def suite_asan():
    # clang: the second compiler with -Werror, and its sanitizers.
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=0",
           "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    if built("asan", "build-asan", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dui=disabled", cc="clang"):
        meson_tests("asan", "build-asan", env, multiplier=4)


def suite_gates():
    step("gates", ["python3", "scripts/gates.py"])


def suite_tidy():
    started = time.time()
    # The compile commands of the clang build: gcc has options that clang-tidy does not know.
    if not built("tidy", "build-asan", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dui=disabled", cc="clang"):
        return
    files = sorted(glob.glob("src/**/*.c", recursive=True))
    code, out = run(["run-clang-tidy", "-quiet", "-p", "build-asan", "-j", JOBS, r"src/.*\.c$"], timeout=2400)
    warnings = sorted(set(re.findall(r"^.*(?:warning|error): .*$", out, re.M)))
    record("tidy", started, 0 if warnings or code else len(files), len(warnings) or int(code != 0),
           "\n".join(warnings) or out)


def suite_fuzz(seconds=None):
    seconds = seconds or int(os.environ.get("FUZZ_SECONDS", "60"))
    if not built("fuzz", "build-fuzz", "-Dfuzz=true", "-Dtests=false", "-Dui=disabled", "-Db_lundef=false", cc="clang"):
        return
    started = time.time()
    passed, bad = 0, []
    for exe in sorted(glob.glob("build-fuzz/tests/fuzz/fuzz_*")):
        if os.path.isdir(exe):
            continue
        name = os.path.basename(exe)[len("fuzz_"):]
        work = f"build-fuzz/corpus/{name}"
        os.makedirs(work, exist_ok=True)
        cmd = [exe, work, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=0",
               f"-artifact_prefix=build-fuzz/crash-{name}-"]
        if os.path.isdir(f"tests/fuzz/corpus/{name}"):
            cmd.insert(2, f"tests/fuzz/corpus/{name}")
        dictionary = f"tests/fuzz/dict/{name}.dict"
        if os.path.exists(dictionary):
            cmd.append(f"-dict={dictionary}")
        code, out = run(cmd, timeout=seconds + 120)
        if code:
            bad.append(f"{name}:\n{out[-3000:]}")
        else:
            passed += 1
    record("fuzz", started, passed, len(bad) or int(not passed), "\n".join(bad))


def tap_counts(out):
    passed = re.findall(r"^# pass (\d+)", out, re.M)
    failed = re.findall(r"^# fail (\d+)", out, re.M)
    cancelled = re.findall(r"^# cancelled (\d+)", out, re.M)
    skipped = re.findall(r"^# (?:skipped|todo) (\d+)", out, re.M)
    return sum(map(int, passed)), sum(map(int, failed + cancelled + skipped))


def node_tests(suite, files, env=None, timeout=2400, cwd="."):
    started = time.time()
    code, out = run(["node", "--test", "--test-concurrency=1", "--test-reporter=tap", *files], env, timeout) if cwd == "." \
        else run(["sh", "-c", f"cd {cwd} && exec node --test --test-reporter=tap {' '.join(files)}"], env, timeout)
    passed, failed = tap_counts(out)
    if code and not failed:
        failed = 1
    if not passed and not failed:
        failed, out = 1, out + "\nno test ran"
    shown = [b for b in re.split(r"(?m)^(?=# Subtest|not ok)", out) if b.startswith("not ok")]
    record(suite, started, passed, failed, "\n".join(shown) or out)


def suite_ui():
    if step("ui types", ["npm", "--prefix", "ui", "run", "--silent", "check"]):
        node_tests("ui", sorted(os.path.relpath(f, "ui") for f in glob.glob("ui/test/*.test.*")), cwd="ui")


def release():
    started = time.time()
    code, out = run(["make", "--no-print-directory", "build"])
    if code:
        record("release", started, 0, 1, out)
    return code == 0


def suite_e2e():
    if release():
        files = sorted(glob.glob("tests/e2e/*.test.mjs"))
        node_tests("e2e", [f for f in files if "crash" not in f], {"CHELA_BIN": f"{ROOT}/build/chela"})


def suite_crash():
    if release():
        node_tests("crash", sorted(glob.glob("tests/e2e/*crash*.test.mjs")), {"CHELA_BIN": f"{ROOT}/build/chela"})


SUITES = {"unit": suite_unit, "asan": suite_asan, "gates": suite_gates, "tidy": suite_tidy, "fuzz": suite_fuzz,
          "ui": suite_ui, "e2e": suite_e2e, "crash": suite_crash}
PLANS = {"check": ["gates", "unit"], "lint": ["gates", "tidy"],
         "all": ["gates", "unit", "asan", "ui", "e2e", "crash", "fuzz", "tidy"]}


def main():
    wanted = sys.argv[1:] or ["check"]
    names = [n for w in wanted for n in PLANS.get(w, [w])]
    for n in names:
        if n not in SUITES:
            sys.exit(f"test.py: no suite '{n}' ({', '.join(SUITES)}; plans {', '.join(PLANS)})")
    for n in names:
        if n == "fuzz" and "all" in wanted:
            suite_fuzz(int(os.environ.get("FUZZ_SECONDS", "6")))
        else:
            SUITES[n]()
    passed = sum(r[1] for r in results)
    failed = sum(r[2] for r in results)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
