"""OpenVINO from the plain ONNX files, fp32 only: it quantises statically, another class."""
import numpy as np

from .openvino import request_of

PACKAGE = "openvino"


def write(job):
    from .seq2seq_onnx import write_graphs

    if job.int8:
        raise NotImplementedError("it has no dynamic int8")
    write_graphs(job.folder, job.model)


def load(job):
    from .seq2seq_onnx import Runner, files_of

    requests = {name: request_of(f"{job.folder}/{name}.fp32.onnx", job.threads)
                for name in files_of(job.model)}

    def run(name, feed):
        result = requests[name].infer(feed)
        return [np.array(result[i]) for i in range(len(result))]

    def prepare(first):
        call = Runner(job.model, run).prepare(job.rows(first), lambda array: array)

        def outputs():
            result, last = call()
            return result if job.model.part == "language" else np.stack(result, 1), last

        return outputs

    return prepare
