"""The engines. Each module has PACKAGE, the package that tells its version, and two functions:

    write(job)            puts the files that the engine reads into job.folder
    load(job) -> prepare  reads them; prepare(first) -> call, a function without arguments that
                          computes the outputs of the inputs job.rows(first) once: of an encoder y
                          (batch, seq, width), of Seq2Seq a tuple, as its reference says

Where the engine allows it, outputs are left in the form that it returns; numpy.asarray makes them
arrays. Only `write` imports what is needed for making a model, so that a process which only loads is
as small as it can be.
"""
from dataclasses import dataclass

ENGINES = {  # name in the table: module that runs encoders
    "torch": "pytorch",
    "torch.compile": "pytorch_compiled",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "executorch": "executorch",
    "ctranslate2": "ctranslate2",
}
SEQ2SEQ_ENGINES = {
    "torch": "seq2seq_pytorch",
    "onnxruntime": "seq2seq_onnxruntime",
    "openvino": "seq2seq_openvino",
}


@dataclass
class Job:
    folder: str
    model: object  # encoder.Encoder or seq2seq.Seq2Seq
    precision: str
    threads: int
    batch: int
    inputs: tuple  # of arrays with a row for each example: of an encoder x and mask

    def rows(self, first):
        return tuple(array[first:first + self.batch] for array in self.inputs)

    @property
    def int8(self):
        return self.precision == "int8"
