"""The encoder that every engine runs: sizes, weights, inputs, and its reference in float64.

Post-norm layers as in BERT and RoBERTa with exact GELU. Weights are random, the same for all, or
those of a trained model, from a file that `kinglet-weights export` wrote.
"""
import json
import math
from dataclasses import dataclass

import numpy as np


@dataclass
class Encoder:
    layers: int
    width: int
    heads: int
    inner: int
    eps: float = 1e-5
    file: str = None

    @property
    def head(self):
        return self.width // self.heads

    def flops(self, batch, seq):
        """Of the matrix products with weights, and of those within attention."""
        linear = 4 * self.width * self.width + 2 * self.width * self.inner
        return 2 * batch * seq * linear * self.layers, 4 * batch * seq * seq * self.width * self.layers

    def weights(self):
        """A dict for each layer. Matrices are (outputs, inputs); qkv stacks those of q, k and v."""
        return trained_weights(self) if self.file else random_weights(self)

    def inputs(self, batch, seq):
        """Random rows, and the mask."""
        x = np.random.default_rng(2).standard_normal((batch, seq, self.width)).astype(np.float32)
        return x, np.ones((batch, seq), np.int32)

    def reference(self, x, mask):
        """The encoder in float64 for one sequence x (seq, width), as the formulas read."""
        erf = np.vectorize(math.erf)
        x = x.astype(np.float64)
        for w in self.weights():
            def linear(x, name):
                return x @ w[name].T.astype(np.float64) + w[name + "_bias"]

            def add_norm(x, y, name):
                return norm(x + y, w[name], w[name + "_bias"], self.eps)

            q, k, v = linear(x, "qkv").reshape(len(x), 3, self.heads, self.head).transpose(1, 2, 0, 3)
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(self.head) + np.where(mask, 0, -1e9)
            p = np.exp(scores - scores.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            y = (p @ v).transpose(1, 0, 2).reshape(len(x), self.width)
            x = add_norm(x, linear(y, "out"), "norm1")
            h = linear(x, "up")
            x = add_norm(x, linear(h * (1 + erf(h / math.sqrt(2))) / 2, "down"), "norm2")
        return x

    def error(self, y, *inputs):
        """Of the outputs y of one sequence."""
        return relative_error(y, self.reference(*inputs))


@dataclass
class Timed:
    encoder: Encoder
    lengths: list  # of sequences
    rows: list  # of the last layer that kinglet computes: "read" by the heads, "all"
    synth: list  # options of kinglet-bench that make a model of this size


ENCODERS = {
    # HiTUT on roberta-base, distilled to 6 layers.
    "hitut6": Timed(Encoder(6, 768, 12, 3072), [160], ["read", "all"],
                    ["--arch", "hitut", "--layers", "6"]),
    # all-MiniLM-L6: a sentence embedding reads every row.
    "minilm6": Timed(Encoder(6, 384, 12, 1536), [32, 128], ["all"],
                     ["--arch", "bert", "--size", "minilm"]),
}


def random_weights(e):
    """The deviation, 0.05 at width 768, makes the probabilities of attention far from equal, so that
    a wrong scale or mask would show in the error."""
    rng = np.random.default_rng(1)

    def normal(*shape, mean=0.0):
        deviation = 0.05 * math.sqrt(768 / e.width)
        return (mean + deviation * rng.standard_normal(shape)).astype(np.float32)

    layers = []
    for _ in range(e.layers):
        w = {}
        for name, n, k in (("qkv", 3 * e.width, e.width), ("out", e.width, e.width),
                           ("up", e.inner, e.width), ("down", e.width, e.inner)):
            w[name], w[name + "_bias"] = normal(n, k), normal(n)
        for name in ("norm1", "norm2"):
            w[name], w[name + "_bias"] = normal(e.width, mean=1.0), normal(e.width)
        layers.append(w)
    return layers


def trained_weights(e):
    tensors = read_safetensors(e.file)[0]
    layers = []
    for i in range(e.layers):
        w = {}
        for end, suffix in (("weight", ""), ("bias", "_bias")):
            def tensor(name):
                return tensors[f"blk.{i}.{name}.{end}"]

            w["qkv" + suffix] = np.concatenate([tensor("attn_" + part) for part in "qkv"])
            for name, ours in (("attn_output", "out"), ("ffn_up", "up"), ("ffn_down", "down"),
                               ("attn_output_norm", "norm1"), ("layer_output_norm", "norm2")):
                w[ours + suffix] = tensor(name)
        layers.append(w)
    return layers


def read_safetensors(path):
    """Its tensors, those that are F32, and its metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"]).copy()
    return tensors, metadata


def relative_error(y, expected):
    return float(np.linalg.norm(y - expected) / np.linalg.norm(expected))


def norm(x, gamma, beta, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + eps) * gamma + beta
