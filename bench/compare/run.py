"""Times an encoder in every engine and in kinglet, in one interleaved run for each table.

Each engine is a process that stays; a round gives each a slice of time, one after the other, all on
the same cores, and starts with another engine than the round before. kinglet's slice is a run of
`kinglet-bench model`, which measures the peaks between its forward passes. Prints tables in
Markdown; README.md beside this file tells what the columns mean.
"""
import argparse
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is left in the source tree
from encoder import ENCODERS  # noqa: E402
from engines import ENGINES  # noqa: E402
import lines  # noqa: E402


def models_of(o, name, folder):
    def named(options):
        return [text.partition("=")[2] for text in options if text.startswith(name + "=")]

    return lines.models_of(o, named(o.model), named(o.int8_model), ENCODERS[name].synth,
                           ["--attention", "s8"], f"{folder}/{name}")


def measure(o, name, files, seq, threads, batch):
    """One table: its rows, and a line of text for each engine that is not in it."""
    encoder, rows_of_kinglet = ENCODERS[name].encoder, o.rows or ENCODERS[name].rows
    starts = []
    for engine in o.engines:
        if engine == "kinglet":
            starts += [(f"kinglet {file}", lambda f=file, p=precision, r=rows, i=isa: lines.Kinglet(
                            o.bench, f, p, threads, batch, seq, i, r))
                       for file, precision in files for isa in o.isa or [None] for rows in rows_of_kinglet]
        else:
            starts.append((engine, lambda e=engine: lines.Peer(
                e, encoder, o.precision, threads, batch, seq=seq)))
    label = f"{name}, seq {seq}, threads {threads}, batch {batch}"
    members, left = lines.begin(starts)
    slices = lines.take_turns(members, left, o.rounds, o.seconds, lines.pause(threads), label)
    peaks = {precision: lines.median_of(members, "limits", key)
             for precision, key in (("fp32", "f32_flops"), ("int8", "s8_ops"))}
    rows = [row(encoder, m, slices[m], slices[members[0]], seq, threads, batch, peaks)
            for m in members]
    for r in rows:
        r["encoder"] = name
    return rows, left, lines.beside_fastest(members, slices), label


def row(encoder, m, slices, base, seq, threads, batch, peaks):
    """peaks: of all threads, operations a second."""
    result = {**lines.times_of(m, slices, base), "rows": m.rows, "batch": batch, "seq": seq,
              "threads": threads, "floor_ms": None, "share_of_floor": None, "peaks": peaks}
    linear, attention = encoder.flops(batch, seq)
    if peaks["fp32"] and m.rows == "all":
        result["floor_ms"] = (linear / peaks[m.precision] + attention / peaks["fp32"]) * 1e3
        result["share_of_floor"] = result["floor_ms"] / result["median_ms"]
    return result


def print_table(rows, faster):
    head = ["engine", "version", "precision", "rows", "median ms", "p10 ms", "% of floor",
            "× first", "error"]
    cells = []
    for r in rows:
        share = r["share_of_floor"]
        cells.append([r["engine"], r["version"], r["precision"], r["rows"], f"{r['median_ms']:.4g}",
                      f"{r['p10_ms']:.4g}", lines.number(share and 100 * share, ".1f"),
                      lines.number(r["ratio"], ".2f"), lines.number(r["error"], ".0e")])
    lines.table(head, cells)
    for f in faster:
        print(f"\n{f['line']}, rows {f['rows']}: {f['speedup']:.2f} × faster than {f['peer']}, "
              "the fastest peer")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    lines.common_options(p)
    p.add_argument("--encoder", nargs="+", choices=ENCODERS, default=["hitut6"])
    p.add_argument("--model", nargs="+", default=[], metavar="ENCODER=FILE",
                   help="kinglet's fp32 models; default: made by kinglet-bench synth")
    p.add_argument("--int8-model", nargs="+", default=[], metavar="ENCODER=FILE",
                   help="kinglet's int8 models; default: made by kinglet-weights quantize")
    p.add_argument("--isa", nargs="+", help="kinglet's instruction sets, a line each; "
                   "default: the best here")
    p.add_argument("--rows", nargs="+", choices=("read", "all"),
                   help="rows of the last layer that kinglet computes, a line each; default: both; "
                   "of minilm6 all, which a sentence embedding reads")
    p.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="of the peers")
    p.add_argument("--engines", nargs="+", default=["kinglet", *ENGINES], metavar="ENGINE",
                   choices=("kinglet", *ENGINES), help="of kinglet, " + ", ".join(ENGINES))
    p.add_argument("--batch", nargs="+", type=int, default=[1, 8], help="default: 1 8")
    p.add_argument("--seq", nargs="+", type=int, help="default: 160; of minilm6 32 and 128")
    p.add_argument("--threads", nargs="+", type=int, default=[1])
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--seconds", type=float, default=1, help="of a slice, at least 5 calls")
    o = p.parse_args()
    if "kinglet" in o.engines:
        lines.check_bench(p, o)
    load = os.getloadavg()[0]
    print(f"{lines.machine()}, load {load:.1f} before the run; {o.rounds} rounds of {o.seconds} s")
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for name in o.encoder:
            files = models_of(o, name, folder) if "kinglet" in o.engines else []
            for threads in o.threads:
                cores = lines.pin(threads, o.cores)
                for seq in o.seq or ENCODERS[name].lengths:
                    for batch in o.batch:
                        rows, left, faster, label = measure(o, name, files, seq, threads, batch)
                        print(f"\n**{label}, cores {cores}**\n")
                        print_table(rows, faster)
                        for text in left:
                            print(f"\nleft out: {text}")
                        sys.stdout.flush()
                        tables.append({"label": label, "cores": cores, "rows": rows,
                                       "faster": faster, "left_out": left})
    lines.save_tables(o, load, tables)


if __name__ == "__main__":
    main()
