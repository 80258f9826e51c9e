"""The LSTM agent that every engine runs, ALFRED's Seq2Seq (Shridhar et al. 2020): sizes, weights,
inputs, and its reference in float64.

A bidirectional LSTM reads the instruction; each step of the decoder takes a frame's features and the
action before, attends to the words, and gives an action and a mask over the frame. Batch norms are
folded into the convolutions before them.
"""
from dataclasses import dataclass

import numpy as np
from encoder import relative_error

PARTS = ("language", "core", "whole")


@dataclass
class Seq2Seq:
    """part: "language" reads the instruction; "core" is the decoder's steps without visual encoder and
    mask, of given words and frame vectors; "whole" is both with everything, from ids and frames."""

    part: str
    steps: int = 50
    words: int = 2360
    embedding: int = 100
    hidden: int = 512  # of one direction
    frame: int = 2500
    actions: int = 15
    mask: int = 300

    @property
    def width(self):
        return 2 * self.hidden

    @property
    def cell_in(self):
        return self.frame + self.width + self.embedding

    def weights(self):
        """As PyTorch starts its layers: even within ±1/√inputs. Names and shapes as in the published
        checkpoints; of an LSTM the one bias that its two add up to."""
        rng = np.random.default_rng(1)

        def even(inputs, *shape):
            return rng.uniform(-inputs ** -0.5, inputs ** -0.5, shape).astype(np.float32)

        w = {"words": rng.standard_normal((self.words, self.embedding), np.float32),
             "actions": rng.standard_normal((self.actions, self.embedding), np.float32),
             "pool": even(self.width, self.width), "go": even(1, self.embedding)}

        def lstm(name, inputs, hidden):
            w[name + ".ih"], w[name + ".hh"] = (
                even(hidden, 4 * hidden, inputs), even(hidden, 4 * hidden, hidden))
            w[name + ".bias"] = even(hidden, 4 * hidden)

        def linear(name, n, k):
            w[name], w[name + ".bias"] = even(k, n, k), even(k, n)

        def transposed(name, inputs, outputs):
            w[name], w[name + ".bias"] = even(16 * outputs, inputs, outputs, 4, 4), even(16, outputs)

        lstm("forward", self.embedding, self.hidden)
        lstm("backward", self.embedding, self.hidden)
        lstm("cell", self.cell_in, self.width)
        linear("conv1", 256, 512)
        linear("conv2", 64, 256)
        linear("frame", self.frame, 64 * 49)
        linear("query", self.width, self.width)
        linear("actor", self.embedding, self.width + self.cell_in)
        linear("mask", 64 * 49, self.width + self.cell_in)
        transposed("up3", 64, 32)
        transposed("up2", 32, 16)
        transposed("up1", 16, 1)
        return w

    def inputs(self, batch, words):
        rng = np.random.default_rng(2)

        def normal(*shape):
            return rng.standard_normal((batch, *shape), np.float32)

        if self.part == "core":
            read = np.tanh(normal(words, self.width))
            return read, read.mean(1), normal(self.steps, self.frame)
        ids = rng.integers(0, self.words, (batch, words))
        if self.part == "language":
            return (ids,)
        return ids, np.maximum(normal(self.steps, 512, 7, 7), 0)  # as after a ReLU

    def reference(self, *inputs):
        """In float64 for one example, as the formulas read. Of "language": the words' states and their
        pooled sum. Of "core": each step's action scores, and the cell's state at the end. Of "whole":
        the scores, and the last step's mask."""
        w = {name: value.astype(np.float64) for name, value in self.weights().items()}
        if self.part == "core":
            scores, h, _ = self.decode(w, *inputs)
            return scores, h
        ids = inputs[0]
        x = w["words"][ids]
        read = np.concatenate([run_lstm(w, "forward", x), run_lstm(w, "backward", x[::-1])[::-1]], 1)
        pooled = softmax(read @ w["pool"]) @ read
        if self.part == "language":
            return read, pooled
        frames = inputs[1].astype(np.float64).reshape(self.steps, 512, 49)
        for name in ("conv1", "conv2"):
            frames = np.maximum(w[name] @ frames + w[name + ".bias"][:, None], 0)
        visual = frames.reshape(self.steps, -1) @ w["frame"].T + w["frame.bias"]
        scores, _, seen = self.decode(w, read, pooled, visual)
        x = np.maximum(w["mask"] @ seen + w["mask.bias"], 0).reshape(64, 7, 7)
        x = np.maximum(transposed_conv(w, "up3", twice(x)), 0)
        x = np.maximum(transposed_conv(w, "up2", twice(x)), 0)
        return scores, bilinear(transposed_conv(w, "up1", x)[0], self.mask)

    def error(self, first, last, *inputs):
        """The larger of both outputs' errors. Of action scores the median step's: where two actions are
        nearly equal, another one is a small error that changes the next step."""
        expected = self.reference(*inputs)
        if self.part == "language":
            of_first = relative_error(first, expected[0])
        else:
            of_first = float(np.median([relative_error(*pair) for pair in zip(first, expected[0])]))
        return max(of_first, relative_error(last, expected[1]))

    def decode(self, w, read, h, visual):
        c, action, scores = np.zeros(self.width), w["go"], []
        for frame in visual:
            attended = softmax(read @ (w["query"] @ h + w["query.bias"])) @ read
            x = np.concatenate([frame, attended, action])
            h, c = cell(w, "cell", x, h, c)
            seen = np.concatenate([h, x])
            scores.append(w["actions"] @ (w["actor"] @ seen + w["actor.bias"]))
            action = w["actions"][scores[-1].argmax()]
        return np.array(scores), h, seen


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def cell(w, name, x, h, c):
    i, f, g, o = np.split(w[name + ".ih"] @ x + w[name + ".hh"] @ h + w[name + ".bias"], 4)

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def run_lstm(w, name, rows):
    h = c = np.zeros(w[name + ".hh"].shape[1])
    states = []
    for x in rows:
        h, c = cell(w, name, x, h, c)
        states.append(h)
    return np.array(states)


def twice(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def transposed_conv(w, name, x):
    """Kernel 4, stride 2, padding 1."""
    inputs, height, width = x.shape
    taps = np.einsum("chw,cokl->oklhw", x, w[name])
    y = np.zeros((taps.shape[0], 2 * height + 2, 2 * width + 2))
    for k in range(4):
        for j in range(4):
            y[:, k:k + 2 * height:2, j:j + 2 * width:2] += taps[:, k, j]
    return y[:, 1:-1, 1:-1] + w[name + ".bias"][:, None, None]


def bilinear(x, size):
    """Of a square to another one; corners are not aligned."""
    at = np.maximum((np.arange(size) + 0.5) * (len(x) / size) - 0.5, 0)
    low = at.astype(int)
    high, part = np.minimum(low + 1, len(x) - 1), at - low
    rows = x[low] * (1 - part)[:, None] + x[high] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, high] * part
