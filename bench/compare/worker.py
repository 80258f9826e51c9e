"""One engine in a process of its own.

    python worker.py WHAT ENGINE SPEC

SPEC is JSON: folder, kind and model (what is computed, and its sizes), precision, threads, batch, and
either seq (random inputs) or inputs, a file of an encoder's arrays x and mask. WHAT is

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
from encoder import Encoder
from engines import ENGINES, SEQ2SEQ_ENGINES, Job
from seq2seq import Seq2Seq

KINDS = {"Encoder": (Encoder, ENGINES), "Seq2Seq": (Seq2Seq, SEQ2SEQ_ENGINES)}


def peak_rss_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024


def several(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


def serve(module, job, spec, answer):
    prepare = module.load(job)
    calls = [prepare(first) for first in range(0, len(job.inputs[0]), job.batch)]
    calls[0]()
    error = None
    if "inputs" in spec:
        outputs = [np.array(y) for call in calls for y in np.asarray(call())]
        np.save(f"{job.folder}/outputs.npy", outputs)
    else:
        outputs = [np.asarray(y)[0] for y in several(calls[0]())]
        error = job.model.error(*outputs, *(array[0] for array in job.inputs))
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
    kind, engines = KINDS[spec["kind"]]
    model = kind(**spec["model"])
    if "inputs" in spec:
        arrays = np.load(spec["inputs"])
        inputs = arrays["x"], arrays["mask"]
    else:
        inputs = model.inputs(spec["batch"], spec["seq"])
    job = Job(spec["folder"], model, spec["precision"], spec["threads"], spec["batch"], inputs)
    module = importlib.import_module("engines." + engines[engine])

    def answer(value):
        print(json.dumps(value), file=answers)

    if what == "write":
        module.write(job)
    elif what == "serve":
        serve(module, job, spec, answer)
    else:
        [np.asarray(y) for y in several(module.load(job)(0)())]
        answer({"peak_rss_bytes": peak_rss_bytes()})
    answers.flush()
    os._exit(0)  # some engines crash when they are taken apart


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
