"""What a fresh process takes: from its start to the first output, and memory at most.

The peers' processes hold Python and NumPy too; their model files were made before. kinglet's is the
fresh process that `kinglet-bench model` starts. All are timed from outside. Model files are in the
page cache.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left in the source tree
import lines  # noqa: E402
from encoder import ENCODERS  # noqa: E402
from engines import ENGINES  # noqa: E402


class Kinglet:
    def __init__(self, o, model, seq):
        self.name = "kinglet " + Path(model).stem
        self.file_bytes = os.path.getsize(model)
        self.command = [o.bench, "model", model, "--json", "--seconds", "0", "--seq", seq,
                        "--threads", o.threads]
        self.start()

    def start(self):
        point = lines.run_json(self.command)["points"][0]
        return {"first_ms": point["first_output"] * 1e3, "again_ms": point["latency"]["p50"] * 1e3,
                "rss": point["peak_resident"]}


class Peer:
    def __init__(self, o, engine, encoder, seq):
        self.name, self.engine = engine, engine
        self.folder = tempfile.TemporaryDirectory()
        self.spec = {"folder": self.folder.name, **lines.described(encoder), "batch": 1, "seq": seq,
                     "precision": o.precision, "threads": o.threads}
        lines.write(engine, self.spec)
        # Where both are written, the one of this precision is read.
        files = [f for f in Path(self.folder.name).rglob("*") if f.is_file()]
        read = [f for f in files if o.precision == "fp32" or f.name != "fp32.onnx"]
        self.file_bytes = sum(f.stat().st_size for f in read)
        self.start()

    def start(self):
        begin = time.perf_counter()
        process = lines.worker("once", self.engine, self.spec, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = process.stdout.readline()
        first_ms = (time.perf_counter() - begin) * 1e3
        said = process.communicate()[1]
        if not line:
            raise lines.Left(f"status {process.returncode}: {lines.last_line(said)}")
        return {"first_ms": first_ms, "again_ms": None, "rss": json.loads(line)["peak_rss_bytes"]}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    lines.common_options(p)
    p.add_argument("--encoder", choices=ENCODERS, default="hitut6")
    p.add_argument("--seq", type=int, help="default: the encoder's longest")
    p.add_argument("--model", nargs="+", required=True, help="kinglet's models")
    p.add_argument("--precision", choices=("fp32", "int8"), default="int8", help="of the peers")
    p.add_argument("--engines", nargs="+", metavar="ENGINE", choices=ENGINES,
                   default=[e for e in ENGINES if e != "torch.compile"],
                   help="of " + ", ".join(ENGINES))
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=5)
    o = p.parse_args()
    lines.check_bench(p, o)
    load = os.getloadavg()[0]
    cores = lines.pin(o.threads, o.cores)
    encoder = ENCODERS[o.encoder].encoder
    seq = o.seq or max(ENCODERS[o.encoder].lengths)
    starts = [(f"kinglet {file}", lambda f=file: Kinglet(o, f, seq)) for file in o.model]
    starts += [(engine, lambda e=engine: Peer(o, e, encoder, seq)) for engine in o.engines]
    members, left = lines.begin(starts)
    seen = {m: [] for m in members}
    for _ in range(o.rounds):
        for m in members:
            seen[m].append(m.start())
    result = []
    for m in members:
        def median(key):
            return statistics.median(one[key] for one in seen[m])

        result.append({"engine": m.name, "file_bytes": m.file_bytes, "rss_bytes": median("rss"),
                       "first_ms": median("first_ms"),
                       "again_ms": median("again_ms") if seen[m][0]["again_ms"] else None,
                       "starts": seen[m]})
    print(f"{lines.machine()}, load {load:.1f} before the run, cores {cores}, {o.rounds} rounds")
    print(f"{o.encoder}, seq {seq}, batch 1, peers {o.precision}; MB of 10⁶ bytes\n")
    lines.table(["engine", "file MB", "peak RSS MB", "RSS − file MB", "start to first output, ms",
                 "a later output, ms"], [
        [r["engine"], f"{r['file_bytes'] * 1e-6:.1f}", f"{r['rss_bytes'] * 1e-6:.1f}",
         f"{(r['rss_bytes'] - r['file_bytes']) * 1e-6:.1f}", f"{r['first_ms']:.1f}",
         lines.number(r["again_ms"], ".1f")] for r in result])
    for text in left:
        print(f"\nleft out: {text}")
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"machine": lines.machine(), "load": load, "cores": cores, "seq": seq,
                       "lines": result, "left_out": left}, file, indent=1)


if __name__ == "__main__":
    main()
