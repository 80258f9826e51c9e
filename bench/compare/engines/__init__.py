"""The engines. Each module has PACKAGE, the package that tells its version, and two functions:

    write(job)            puts the files that the engine reads into job.folder
    load(job) -> prepare  reads them; prepare(first) -> call, a function without arguments that
                          computes y (batch, seq, width) of the inputs job.rows(first) once

Where the engine allows it, y is left in the form that it returns; numpy.asarray makes it an array.
Only `write` imports what is needed for making a model, so that a process which only loads is as
small as it can be.
"""
from dataclasses import dataclass

import numpy as np
from encoder import Encoder

ENGINES = {  # name in the table: module
    "torch": "pytorch",
    "torch.compile": "pytorch_compiled",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "executorch": "executorch",
    "ctranslate2": "ctranslate2",
}


@dataclass
class Job:
    folder: str
    encoder: Encoder
    precision: str
    threads: int
    batch: int
    x: np.ndarray  # (rows, seq, width)
    mask: np.ndarray  # (rows, seq): 1 where a key is there

    def rows(self, first):
        return self.x[first:first + self.batch], self.mask[first:first + self.batch]

    @property
    def int8(self):
        return self.precision == "int8"
