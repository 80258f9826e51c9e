"""Times an agent as it is used: recorded episodes of a trained HiTUT, one decision a call.

kinglet computes whole decisions, from prepared ids and features to the heads, of the positions that are
not masked. The peers run the encoder as the published code does, on all positions with a mask;
embeddings and heads are not even timed for them. One interleaved run; then the answers of all are
compared. README.md beside this file tells more.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left in the source tree
import episodes  # noqa: E402
import lines  # noqa: E402
import numpy as np  # noqa: E402
from engines import ENGINES  # noqa: E402

ROOT = lines.HERE.parent.parent


class Agent:
    """`kinglet-bench accuracy` over the episodes; a slice is a process and gives the mean time of a
    decision."""

    error = None

    def __init__(self, bench, model, rows, threads):
        self.name = "kinglet " + Path(model).stem
        self.command = [bench, "accuracy", model, rows, "--json", "--answers", "--threads", threads]
        self.slice(0)

    def slice(self, seconds):
        model = lines.run_json(self.command)["models"][0]
        self.answers = {(s["group"], s["name"]): s["answers"] for s in model["scores"]}
        return [model["ms_per_example"]]

    def close(self):
        pass


class PaddedPeer(lines.Peer):
    """An engine; a slice is a number of passes over the episodes."""

    def __init__(self, model, rows, *args, **inputs):
        super().__init__(*args, **inputs)
        hidden, self.answers = np.load(f"{self.folder.name}/outputs.npy"), {}
        for task, arrays in rows.items():
            here, hidden = np.split(hidden, [len(arrays["type_pos"])])
            for head, given in episodes.answers(model, task, arrays, here).items():
                self.answers[task, head] = given

    def slice(self, seconds):
        return [statistics.mean(super().slice(seconds))]


def agreement(mine, reference):
    """Of the answers that both gave: how many there are, and how many are equal."""
    pairs = [pair for key in mine.keys() & reference.keys()
             for pair in zip(mine[key], reference[key])]
    return len(pairs), sum(a == b for a, b in pairs)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    lines.common_options(p)
    p.add_argument("--model", required=True, help="kinglet's fp32 model, HiTUT; what the peers run")
    p.add_argument("--int8-model", nargs="+", default=[], help="kinglet's int8 models")
    p.add_argument("--episodes", default=ROOT / "models/hitut6_small/episodes.json")
    p.add_argument("--precision", choices=("fp32", "int8"), default="int8", help="of the peers")
    p.add_argument("--engines", nargs="+", default=list(ENGINES), metavar="ENGINE", choices=ENGINES,
                   help="of " + ", ".join(ENGINES))
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=5)
    o = p.parse_args()
    lines.check_bench(p, o)
    load = os.getloadavg()[0]
    cores = lines.pin(o.threads, o.cores)
    with tempfile.TemporaryDirectory() as folder:
        exported, rows_file, inputs = (f"{folder}/{name}" for name in (
            "model.safetensors", "rows.safetensors", "inputs.npz"))
        subprocess.run([Path(o.bench).parent / "kinglet-weights", "export", o.model, "-o", exported],
                       stdout=subprocess.DEVNULL, check=True)
        model = episodes.Model(exported)
        rows = episodes.rows_of(o.episodes, model)
        episodes.write_set(rows_file, rows)
        np.savez(inputs, x=np.concatenate([episodes.embed(model, t, a) for t, a in rows.items()]),
                 mask=np.concatenate([a["seq_mask"] for a in rows.values()]).astype(np.int32))
        live = np.concatenate([a["seq_mask"] for a in rows.values()]).sum(1)

        starts = [(f"kinglet {file}", lambda f=file: Agent(o.bench, f, rows_file, o.threads))
                  for file in [*o.int8_model, o.model]]
        starts += [(engine, lambda e=engine: PaddedPeer(
            model, rows, e, model.encoder, o.precision, o.threads, 1, inputs=inputs))
            for engine in o.engines]
        members, left = lines.begin(starts)
        slices = lines.take_turns(members, left, o.rounds, 0, lines.pause(o.threads), "episodes")
    fp32 = next(m for m in members if m.name == "kinglet " + Path(o.model).stem)
    result = [{"engine": m.name, "ms": statistics.median(s[0] for s in slices[m]),
               "ratio": lines.ratio(slices[m], slices[members[0]]),
               "compared": agreement(m.answers, fp32.answers)[0],
               "equal": agreement(m.answers, fp32.answers)[1], "slices": slices[m]}
              for m in members]
    print(f"{lines.machine()}, load {load:.1f} before the run, cores {cores}, {o.rounds} rounds")
    print(f"{len(live)} decisions of {Path(o.episodes).parent.name}, {live.min()} … {live.max()} "
          f"positions, {live.mean():.1f} on average; peers {o.precision}, {model.seq} positions\n")
    lines.table(["engine", "ms a decision", "× first", "answers as kinglet fp32"], [
        [r["engine"], f"{r['ms']:.4g}", f"{r['ratio']:.2f}", f"{r['equal']} of {r['compared']}"]
        for r in result])
    peers = [r for r in result if not r["engine"].startswith("kinglet ")]
    if peers:
        fastest = min(peers, key=lambda r: r["ms"])
        print(f"\n{result[0]['engine']} is {fastest['ratio']:.2f} × faster than "
              f"{fastest['engine']}, the fastest peer")
    for text in left:
        print(f"\nleft out: {text}")
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"machine": lines.machine(), "load": load, "cores": cores,
                       "decisions": len(live), "mean_positions": float(live.mean()),
                       "lines": result, "left_out": left}, file, indent=1)


if __name__ == "__main__":
    main()
