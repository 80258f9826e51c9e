"""What stands in the lines of a table: peers and kinglet, and how they take turns."""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Left(Exception):
    """An engine that cannot take part, and why."""


def worker(what, engine, spec, **options):
    command = [sys.executable, str(HERE / "worker.py"), what, engine, json.dumps(spec)]
    return subprocess.Popen(command, text=True, **options)


def last_line(text):
    return (text.strip().splitlines() or ["no word"])[-1]


def write(engine, spec):
    """Makes the engine's files, in a process of its own: what it imports for that does not stay."""
    process = worker("write", engine, spec, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.PIPE)
    said = process.communicate()[1]
    if process.returncode != 0:
        raise Left(f"status {process.returncode}: {last_line(said)}")


def described(model):
    """For worker.py."""
    return {"kind": type(model).__name__, "model": asdict(model)}


class Peer:
    """An engine of engines/; its process stays."""

    rows = "all"

    def __init__(self, engine, model, precision, threads, batch, **inputs):
        self.name, self.precision = engine, precision
        self.folder = tempfile.TemporaryDirectory()
        self.spec = {"folder": self.folder.name, **described(model), "precision": precision,
                     "threads": threads, "batch": batch, **inputs}
        write(engine, self.spec)
        self.log = tempfile.TemporaryFile("w+")
        self.process = worker("serve", engine, self.spec, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=self.log, bufsize=1)
        first = self.answer()
        self.version, self.error = first["version"], first["error"]

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self.log.seek(0)
        raise Left(f"status {status}: {last_line(self.log.read())}")

    def slice(self, seconds):
        try:
            self.process.stdin.write(f"{seconds}\n")
        except BrokenPipeError:
            pass  # answer() tells why
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def run_json(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Left(last_line(done.stderr))
    return json.loads(done.stdout)


class Kinglet:
    """`kinglet-bench model`; a slice is a process and gives one number, the median of its run.
    rows, of an encoder: "read" computes only those rows of the last layer that the heads read, "all"
    every row. options: what else the command is told."""

    error = None

    def __init__(self, bench, model, precision, threads, batch, seq, isa=None, rows=None, options=()):
        self.precision, self.rows, self.results = precision, rows, []
        self.command = [bench, "model", model, "--json", "--seq", seq, "--batch", batch,
                        "--threads", threads, *options]
        if rows == "all":
            self.command.append("--all-rows")
        if isa:
            self.command += ["--isa", isa]
        text = subprocess.run([bench, "--version"], capture_output=True, text=True).stdout
        self.version = text.split()[1]  # "kinglet-bench 0.1.0"
        first = self.run(0)
        self.name = f"kinglet {first['isa']} {Path(model).stem}"

    def run(self, seconds):
        """What was measured, and the machine's limits beside it."""
        results = run_json([*self.command, "--seconds", seconds])
        return {**results["points"][0], "limits": results["limits"][0]}

    def slice(self, seconds):
        result = self.run(seconds)
        self.results.append(result)
        return [result["latency"]["p50"] * 1e3]

    def close(self):
        pass


def models_of(o, fp32, int8, synth, quantize, path):
    """kinglet's files, int8 first: [(file, precision)]. Those that are named, or else made at `path`
    by kinglet-bench synth and kinglet-weights quantize with these options."""
    if not fp32 and (o.precision == "fp32" or not int8):
        fp32 = [path + ".gguf"]
        subprocess.run([o.bench, "synth", *synth, "-o", fp32[0]], stdout=subprocess.DEVNULL,
                       check=True)
    if o.precision == "fp32":
        return [(file, "fp32") for file in fp32]
    if not int8:
        int8 = [path + "_s8.gguf"]
        subprocess.run([Path(o.bench).parent / "kinglet-weights", "quantize", fp32[0], *quantize,
                        "-o", int8[0]], stdout=subprocess.DEVNULL, check=True)
    return [(file, "int8") for file in int8] + [(file, "fp32") for file in fp32]


def begin(starts):
    """(name, function) → what took part, and a line for each that did not."""
    lines, left = [], []
    for name, start in starts:
        print(f"starting {name}", file=sys.stderr)
        try:
            lines.append(start())
        except Left as why:
            left.append(f"{name}: {why}")
    return lines, left


def take_turns(lines, left, rounds, seconds, pause, label):
    """The slices of each line. A round begins with another line than the one before."""
    slices = {line: [] for line in lines}
    for r in range(rounds):
        print(f"round {r + 1} of {rounds}, {label}", file=sys.stderr)
        turn = r % max(1, len(lines))
        for line in lines[turn:] + lines[:turn]:
            time.sleep(pause)
            try:
                slices[line].append(line.slice(seconds))
            except Left as why:
                lines.remove(line)
                left.append(f"{line.name}: {why}")
    for line in lines:
        line.close()
    return slices


def ratio(slices, base):
    """Of the rounds' ratios the median: a round that was disturbed does not count."""
    return statistics.median(
        statistics.median(a) / statistics.median(b) for a, b in zip(slices, base))


def times_of(m, slices, base):
    """What a table tells of a line."""
    times = sorted(t for s in slices for t in s)
    return {"engine": m.name, "version": m.version, "precision": m.precision,
            "median_ms": statistics.median(times), "p10_ms": times[len(times) // 10],
            "ratio": ratio(slices, base), "error": m.error, "slices": slices}


def median_of(members, *keys):
    """Of what kinglet's runs measured beside themselves; None where it took no part."""
    seen = []
    for result in (r for m in members if isinstance(m, Kinglet) for r in m.results):
        for key in keys:
            result = result[key]
        seen.append(result)
    return statistics.median(seen) if seen else None


def beside_fastest(members, slices):
    """How many times faster than the fastest peer each line of kinglet is."""
    peers = [m for m in members if isinstance(m, Peer)]
    if not peers:
        return []
    fastest = min(peers, key=lambda p: statistics.median(t for s in slices[p] for t in s))
    return [{"line": m.name, "rows": m.rows, "peer": fastest.name,
             "speedup": ratio(slices[fastest], slices[m])}
            for m in members if isinstance(m, Kinglet)]


def pin(threads, cores=None):
    """All that is started from now on runs on these cores."""
    chosen = cores or ALLOWED[:threads]
    os.sched_setaffinity(0, chosen)
    return chosen


ALLOWED = sorted(os.sched_getaffinity(0))


def pause(threads):
    """Thread pools spin for a while after a call; with one thread there is none."""
    return 0.03 if threads == 1 else 0.5


def machine():
    cpu = {}
    with open("/proc/cpuinfo") as file:
        for line in file.read().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            cpu[key.strip()] = value.strip()
    name = cpu.get("model name", platform.machine())
    if "cpu family" in cpu:
        name += f" (family {cpu['cpu family']}, model {cpu['model']})"
    return f"{name}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"


def number(value, form):
    return "–" if value is None else format(value, form)


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for cells in rows:
        print("| " + " | ".join(map(str, cells)) + " |")


def common_options(p):
    """Of all programs of this folder."""
    root = HERE.parent.parent
    p.add_argument("--bench", default=root / "build/native/kinglet-bench",
                   help="the program; default: that of ./test")
    p.add_argument("--cores", nargs="+", type=int, help="default: the first, one a thread")
    p.add_argument("--json", help="write everything that was measured to this file")


def check_bench(p, o):
    if not os.access(o.bench, os.X_OK):
        p.error(f"{o.bench} is no program; name kinglet-bench with --bench")


def save_tables(o, load, tables):
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"machine": machine(), "load": load, "rounds": o.rounds,
                       "seconds": o.seconds, "tables": tables}, file, indent=1)
