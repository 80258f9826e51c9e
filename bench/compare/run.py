"""Times the encoder of models.py in every engine and in kinglet, in one interleaved run.

Each engine is a process that stays; a round gives each a slice of time, one after the other, all on
the same cores, and starts with another engine than the round before. kinglet's slice is a run of
`kinglet-bench model`, which measures the FMA peak between its forward passes. Prints a table in
Markdown; README.md beside this file tells what the columns mean.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left in the source tree
from models import ENGINES, LAYERS, flops  # noqa: E402

HERE = Path(__file__).resolve().parent


class Left(Exception):
    """An engine that cannot take part, and why."""


class Peer:
    """An engine of models.py."""

    def __init__(self, name, precision, batch, o):
        self.name, self.precision = name, precision
        self.log = tempfile.TemporaryFile("w+")
        command = [sys.executable, HERE / "models.py", name, precision, batch, o.seq, o.threads]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            text=True, bufsize=1)
        first = self.answer()
        self.version, self.error = first["version"], first["error"]

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self.log.seek(0)
        raise Left(f"status {status}: " + (self.log.read().strip().splitlines() or ["no word"])[-1])

    def slice(self, seconds):
        try:
            self.process.stdin.write(f"{seconds}\n")
        except BrokenPipeError:
            pass  # answer() tells why
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Kinglet:
    """kinglet-bench; a slice gives one number, the median of its run."""

    def __init__(self, model, precision, isa, batch, o):
        self.precision, self.error, self.peaks = precision, None, []
        self.command = [o.bench, "model", model, "--all-rows", "--json"]
        for name, value in (("seq", o.seq), ("batch", batch), ("threads", o.threads), ("isa", isa)):
            if value:
                self.command += [f"--{name}", str(value)]
        text = subprocess.run([o.bench, "--version"], capture_output=True, text=True).stdout
        self.version = text.split()[1]  # "kinglet-bench 0.1.0"
        first = self.run(0)
        if first["positions"] != o.seq:
            raise Left(f"{model}: {first['positions']} positions, not {o.seq}")
        self.name = f"kinglet {first['isa']}"

    def run(self, seconds):
        done = subprocess.run([*self.command, "--seconds", str(seconds)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Left(done.stderr.strip())
        return json.loads(done.stdout)

    def slice(self, seconds):
        result = self.run(seconds)
        self.peaks.append(result["peak_gflops"])
        return [result["latency_ms"]["median"]]

    def close(self):
        pass


def start(o, batch):
    """What takes part, in the order of the table, and a line for each that does not."""
    model, precision = o.model, "fp32"
    if o.precision == "int8" and o.int8_model:
        model, precision = o.int8_model, "int8"
    starts = []
    for name in o.engines:
        if name == "kinglet":
            starts += [("kinglet", lambda isa=isa: Kinglet(model, precision, isa, batch, o))
                       for isa in o.isa or [None]]
        else:
            starts.append((name, lambda name=name: Peer(name, o.precision, batch, o)))
    engines, left = [], []
    for name, begin in starts:
        print(f"starting {name}, batch {batch}", file=sys.stderr)
        try:
            engines.append(begin())
        except Left as why:
            left.append(f"{name}: {why}")
    return engines, left


def measure(o, batch):
    engines, left = start(o, batch)
    slices = {e: [] for e in engines}
    for r in range(o.rounds):
        print(f"round {r + 1} of {o.rounds}, batch {batch}", file=sys.stderr)
        turn = r % max(1, len(engines))
        for e in engines[turn:] + engines[:turn]:
            time.sleep(o.pause)
            try:
                slices[e].append(e.slice(o.seconds))
            except Left as why:
                engines.remove(e)
                left.append(f"{e.name}: {why}")
    for e in engines:
        e.close()
    return [row(o, batch, e, slices[e], engines[0], slices[engines[0]]) for e in engines], left


def row(o, batch, e, slices, base, base_slices):
    times = sorted(t for s in slices for t in s)
    median = statistics.median(times)
    result = {
        "engine": e.name, "version": e.version, "precision": e.precision, "batch": batch,
        "threads": o.threads, "median_ms": median, "p10_ms": times[len(times) // 10],
        "floor_ms": None, "share_of_floor": None, "ratio": None, "error": e.error, "slices": slices}
    if isinstance(base, Kinglet):
        # Of the rounds' ratios the median: a round that was disturbed does not count.
        result["ratio"] = statistics.median(
            statistics.median(a) / statistics.median(b) for a, b in zip(slices, base_slices))
        result["peak_gflops"] = statistics.median(base.peaks)
        linear, attention = flops(batch, o.seq)
        # kinglet-bench gives the peak of all threads.
        rate = o.int8_peak * o.threads if e.precision == "int8" else result["peak_gflops"]
        if rate:
            floor = linear / rate + attention / result["peak_gflops"]
            result["floor_ms"] = floor * 1e-6
            result["share_of_floor"] = floor * 1e-6 / median
    return result


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


def table(rows):
    def number(value, form):
        return "–" if value is None else format(value, form)

    head = ["engine", "version", "precision", "batch", "threads", "median ms", "p10 ms",
            "% of floor", "× kinglet", "error"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for r in rows:
        share = r["share_of_floor"]
        cells = [r["engine"], r["version"], r["precision"], str(r["batch"]), str(r["threads"]),
                 f"{r['median_ms']:.4g}", f"{r['p10_ms']:.4g}",
                 number(share and 100 * share, ".1f"), number(r["ratio"], ".2f"),
                 number(r["error"], ".0e")]
        print("| " + " | ".join(cells) + " |")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--bench", default=HERE.parent.parent / "build/native/kinglet-bench",
                   help="the program; default: that of ./test")
    p.add_argument("--model", help="kinglet's fp32 model; default: made by kinglet-bench synth")
    p.add_argument("--int8-model", help="kinglet's int8 model; without it the fp32 one takes part")
    p.add_argument("--isa", nargs="+", help="kinglet's instruction sets, a line each; "
                   "default: the best here")
    p.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="of the peers")
    p.add_argument("--engines", nargs="+", default=["kinglet", *ENGINES], metavar="ENGINE",
                   choices=("kinglet", *ENGINES), help="of kinglet, " + ", ".join(ENGINES))
    p.add_argument("--batch", nargs="+", type=int, default=[1, 8], help="default: 1 8")
    p.add_argument("--seq", type=int, default=160)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--cores", nargs="+", type=int, help="default: the first, one a thread")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--seconds", type=float, default=1, help="of a slice, at least 5 calls")
    p.add_argument("--int8-peak", type=float, default=0, metavar="GOPS",
                   help="int8 peak of one core, for the floor of int8")
    p.add_argument("--json", help="write everything that was measured to this file")
    o = p.parse_args()
    if "kinglet" in o.engines and not os.access(o.bench, os.X_OK):
        p.error(f"{o.bench} is no program; name kinglet-bench with --bench")
    load = os.getloadavg()[0]
    cores = o.cores or sorted(os.sched_getaffinity(0))[:o.threads]
    os.sched_setaffinity(0, cores)  # all that is started inherits it
    # Thread pools spin for a while after a call; with one thread there is none.
    o.pause = 0.03 if o.threads == 1 else 0.5

    rows, left = [], []
    with tempfile.TemporaryDirectory() as folder:
        if "kinglet" in o.engines and not o.model:
            o.model = f"{folder}/model.gguf"
            subprocess.run([o.bench, "synth", "--arch", "hitut", "--layers", str(LAYERS), "-o",
                            o.model], stdout=subprocess.DEVNULL, check=True)
        for batch in o.batch:
            more, failed = measure(o, batch)
            rows += more
            left += [f"batch {batch}, {text}" for text in failed]
    peaks = [r["peak_gflops"] for r in rows if "peak_gflops" in r]
    print(f"{machine()}, load {load:.1f} before the run")
    print(f"seq {o.seq}, cores {cores}, {o.rounds} rounds of {o.seconds} s" + (
        f", FMA peak {statistics.median(peaks):.1f} GFLOP/s" if peaks else "") + "\n")
    table(rows)
    for text in left:
        print(f"\nleft out: {text}")
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"machine": machine(), "load": load, "seq": o.seq, "cores": cores,
                       "rounds": o.rounds, "seconds": o.seconds, "rows": rows, "left_out": left},
                      file, indent=1)


if __name__ == "__main__":
    main()
