"""ONNX Runtime: its LSTM for the words and for the decoder's cell; results stay its own values. int8:
dynamic, a scale per tensor of activations and per channel of weights; its transposed convolutions
stay fp32."""
import numpy as np

from .onnxruntime import quantize, session_of

PACKAGE = "onnxruntime"


def write(job):
    from .seq2seq_onnx import files_of, write_graphs

    write_graphs(job.folder, job.model)
    if job.int8:
        for name in files_of(job.model):
            quantize(f"{job.folder}/{name}.fp32.onnx", f"{job.folder}/{name}.int8.onnx")


def load(job):
    import onnxruntime as ort
    from .seq2seq_onnx import Runner, files_of

    sessions = {name: session_of(f"{job.folder}/{name}.{job.precision}.onnx", job.threads)
                for name in files_of(job.model)}
    outputs = {name: [o.name for o in session.get_outputs()] for name, session in sessions.items()}

    def run(name, feed):
        return sessions[name].run_with_ort_values(outputs[name], feed)

    def prepare(first):
        call = Runner(job.model, run).prepare(job.rows(first), ort.OrtValue.ortvalue_from_numpy)
        return lambda: arrays(call())

    def arrays(result):
        first, last = result
        if job.model.part == "language":
            return first.numpy(), last.numpy()
        return np.stack([scores.numpy() for scores in first], 1), last.numpy()

    return prepare
