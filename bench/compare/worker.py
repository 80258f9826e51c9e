"""One engine in a process of its own.

    python worker.py WHAT ENGINE SPEC

SPEC is JSON: folder, encoder, precision, threads, batch, and either seq (random inputs) or inputs, a
file of arrays x and mask. WHAT is

write   puts the engine's files into the folder
serve   loads them and prints a line of JSON, {"version", "error"}: the error of the first sequence
        against the reference in float64, or null with `inputs`; then all outputs are left in the
        folder as outputs.npy. Then it reads lines from stdin, each a number of seconds, computes
        for about so long, at least 5 times and every input equally often, and prints the
        milliseconds of each call as a line of JSON
once    loads them, computes once and prints {"peak_rss_bytes"}
"""
import importlib
import json
import os
import sys
import time
from importlib.metadata import version

import numpy as np
from encoder import Encoder, inputs, reference
from engines import ENGINES, Job


def peak_rss_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024




def serve(module, job, spec, answer):
    prepare = module.load(job)
    calls = [prepare(first) for first in range(0, len(job.x), job.batch)]
    calls[0]()
    error = None
    if "inputs" in spec:
        outputs = [np.array(y) for call in calls for y in np.asarray(call())]
        np.save(f"{job.folder}/outputs.npy", outputs)
    else:
        expected = reference(job.encoder, job.x[0], job.mask[0])
        y = np.asarray(calls[0]())[0]
        error = float(np.linalg.norm(y - expected) / np.linalg.norm(expected))
    answer({"version": version(module.PACKAGE), "error": error})
    for line in sys.stdin:
        calls[0]()
        times, end = [], time.perf_counter() + float(line)
        while len(times) < 5 or time.perf_counter() < end:
            for call in calls:
                begin = time.perf_counter()
                call()
                times.append((time.perf_counter() - begin) * 1e3)
        answer(times)


def main(what, engine, spec):
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the engine prints itself goes to stderr
    os.environ["OMP_NUM_THREADS"] = str(spec["threads"])
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(sys.prefix, "inductor"))
    encoder = Encoder(**spec["encoder"])
    if "inputs" in spec:
        arrays = np.load(spec["inputs"])
        x, mask = arrays["x"], arrays["mask"]
    else:
        x, mask = inputs(encoder, spec["batch"], spec["seq"])
    job = Job(spec["folder"], encoder, spec["precision"], spec["threads"], spec["batch"], x, mask)
    module = importlib.import_module("engines." + ENGINES[engine])

    def answer(value):
        print(json.dumps(value), file=answers)

    if what == "write":
        module.write(job)
    elif what == "serve":
        serve(module, job, spec, answer)
    else:
        np.asarray(module.load(job)(0)())
        answer({"peak_rss_bytes": peak_rss_bytes()})
    answers.flush()
    os._exit(0)  # some engines crash when they are taken apart


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
