"""Times the LSTM agent, ALFRED's Seq2Seq, in other engines and in kinglet: a table for each part of it
and each batch, all engines of a table in one interleaved run as in run.py. README.md beside this file
tells what the parts and columns are.
"""
import argparse
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is left in the source tree
from engines import SEQ2SEQ_ENGINES  # noqa: E402
import lines  # noqa: E402
from seq2seq import PARTS, Seq2Seq  # noqa: E402

BATCHES = {"language": [1, 8], "core": [1, 8], "whole": [1, 2, 4, 8]}


def measure(o, part, files, batch):
    model = Seq2Seq(part, o.steps)
    told = ["--task", part, "--steps", o.steps]
    starts = []
    for engine in o.engines:
        if engine == "kinglet":
            starts += [(f"kinglet {file}", lambda f=file, p=precision, i=isa: lines.Kinglet(
                            o.bench, f, p, o.threads, batch, o.words, i, options=told))
                       for file, precision in files for isa in o.isa or [None]]
        else:
            starts.append((engine, lambda e=engine: lines.Peer(
                e, model, o.precision, o.threads, batch, seq=o.words)))
    label = f"{part}, {o.words} words, {o.steps} steps, threads {o.threads}, batch {batch}"
    members, left = lines.begin(starts)
    slices = lines.take_turns(members, left, o.rounds, o.seconds, lines.pause(o.threads), label)
    reads = {p: lines.median_of([m for m in members if m.precision == p], "weight_reads", "seconds")
             for p in ("fp32", "int8")}
    rows = []
    for m in members:
        row = lines.times_of(m, slices[m], slices[members[0]])
        read_ms = reads[m.precision] and reads[m.precision] * 1e3
        rows.append({**row, "part": part, "batch": batch, "threads": o.threads, "read_ms": read_ms,
                     "share_of_reads": read_ms and read_ms / row["median_ms"]})
    return rows, left, lines.beside_fastest(members, slices), label


def print_table(rows, faster):
    lines.table(
        ["engine", "version", "precision", "median ms", "p10 ms", "% of reads", "× first", "error"],
        [[r["engine"], r["version"], r["precision"], f"{r['median_ms']:.4g}", f"{r['p10_ms']:.4g}",
          lines.number(r["share_of_reads"] and 100 * r["share_of_reads"], ".1f"),
          f"{r['ratio']:.2f}", lines.number(r["error"], ".0e")] for r in rows])
    for f in faster:
        print(f"\n{f['line']}: {f['speedup']:.2f} × faster than {f['peer']}, the fastest peer")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    lines.common_options(p)
    p.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    p.add_argument("--model", nargs="+", default=[],
                   help="kinglet's fp32 models; default: made by kinglet-bench synth")
    p.add_argument("--int8-model", nargs="+", default=[],
                   help="kinglet's int8 models; default: made by kinglet-weights quantize")
    p.add_argument("--isa", nargs="+", help="kinglet's instruction sets, a line each; "
                   "default: the best here")
    p.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="of the peers")
    p.add_argument("--engines", nargs="+", metavar="ENGINE",
                   default=["kinglet", "torch", "onnxruntime"],
                   choices=("kinglet", *SEQ2SEQ_ENGINES),
                   help="of kinglet, " + ", ".join(SEQ2SEQ_ENGINES) + "; default: all but openvino")
    p.add_argument("--batch", nargs="+", type=int, help="default: 1 8; of whole 1 2 4 8")
    p.add_argument("--words", type=int, default=64)
    p.add_argument("--steps", type=int, default=50)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1, help="of a slice, at least 5 calls")
    o = p.parse_args()
    if "kinglet" in o.engines:
        lines.check_bench(p, o)
    load = os.getloadavg()[0]
    cores = lines.pin(o.threads, o.cores)
    print(f"{lines.machine()}, cores {cores}, load {load:.1f} before the run; {o.rounds} rounds of "
          f"{o.seconds} s")
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        files = lines.models_of(o, o.model, o.int8_model, ["--arch", "alfred-seq2seq"], [],
                                f"{folder}/seq2seq") if "kinglet" in o.engines else []
        for part in o.part:
            for batch in o.batch or BATCHES[part]:
                rows, left, faster, label = measure(o, part, files, batch)
                print(f"\n**{label}**\n")
                print_table(rows, faster)
                for text in left:
                    print(f"\nleft out: {text}")
                sys.stdout.flush()
                tables.append({"label": label, "cores": cores, "rows": rows, "faster": faster,
                               "left_out": left})
    lines.save_tables(o, load, tables)


if __name__ == "__main__":
    main()
