"""Seq2Seq as ONNX files: the language encoder, and one step of the decoder."""
import numpy as np
from onnx import TensorProto

from .onnx_graph import Graph

LANGUAGE, STEP = "language", "step"


def files_of(s):
    """What a part of the model reads."""
    return {"language": [LANGUAGE], "core": [STEP], "whole": [LANGUAGE, STEP]}[s.part]


def write_graphs(folder, s):
    w = s.weights()
    for name in files_of(s):
        (write_language if name == LANGUAGE else write_step)(f"{folder}/{name}.fp32.onnx", s, w)


def write_language(path, s, w):
    g = Graph()
    x = g.node("Gather", [g.constant("words", w["words"]), g.node("Transpose", ["ids"], perm=[1, 0])])
    read = lstm(g, w, ("forward", "backward"), x)[0]  # (words, directions, batch, hidden)
    read = g.node("Reshape", [g.node("Transpose", [read], perm=[2, 0, 1, 3]),
                              g.sizes(0, 0, s.width)])
    scores = g.node("MatMul", [read, g.constant("pool", w["pool"][:, None])])
    g.save(path, {"ids": (TensorProto.INT64, ["batch", "words"])},
           {"read": (read, ["batch", "words", s.width]),
            "pooled": (attend(g, read, scores), ["batch", s.width])})


def write_step(path, s, w):
    g = Graph()
    whole = s.part == "whole"
    inputs = {"read": ["batch", "words", s.width],
              "frame": ["batch", 512, 7, 7] if whole else ["batch", s.frame],
              "action": ["batch", s.embedding], "h": ["batch", s.width], "c": ["batch", s.width]}
    visual = visual_encoder(g, w, "frame") if whole else "frame"
    query = linear(g, w, "query", "h")
    scores = g.node("MatMul", ["read", g.node("Unsqueeze", [query, g.sizes(2)])])
    x = g.node("Concat", [visual, attend(g, "read", scores), "action"], axis=1)
    first = g.sizes(0)
    _, h, c = lstm(g, w, ("cell",), g.node("Unsqueeze", [x, first]),
                   [g.node("Unsqueeze", [state, first]) for state in ("h", "c")])
    h, c = (g.node("Squeeze", [state, first]) for state in (h, c))
    seen = g.node("Concat", [h, x], axis=1)
    actions = g.constant("actions", w["actions"])
    logits = g.node("MatMul", [linear(g, w, "actor", seen),
                               g.constant("actions_transposed", w["actions"].T)])
    action = g.node("Gather", [actions, g.node("ArgMax", [logits], axis=1, keepdims=0)])
    outputs = {"scores": (logits, ["batch", s.actions]), "next_action": (action, inputs["action"]),
               "next_h": (h, inputs["h"]), "next_c": (c, inputs["c"])}
    if whole:
        outputs["mask"] = mask_decoder(g, s, w, seen), ["batch", s.mask, s.mask]
    g.save(path, {name: (TensorProto.FLOAT, shape) for name, shape in inputs.items()}, outputs)


def linear(g, w, name, x):
    return g.node("Gemm", [x, *weight_and_bias(g, w, name)], transB=1)


def weight_and_bias(g, w, name, axes=()):
    """axes: that are added to the weight's shape."""
    return [g.constant(name + ".weight", np.expand_dims(w[name], axes)),
            g.constant(name + ".bias", w[name + ".bias"])]


def lstm(g, w, names, x, state=()):
    """ONNX orders the gates i, o, f, c; PyTorch i, f, g, o."""
    def stacked(part):
        def ordered(value):
            i, f, c, o = np.split(value, 4)
            return np.concatenate([i, o, f, c])

        return np.stack([ordered(w[f"{name}.{part}"]) for name in names])

    bias = stacked("bias")
    constants = [g.constant(f"{names[0]}.{part}", value) for part, value in (
        ("ih", stacked("ih")), ("hh", stacked("hh")), ("b", np.concatenate([bias, 0 * bias], 1)))]
    return g.node("LSTM", [x, *constants, "", *state], outputs=3,
                  hidden_size=bias.shape[1] // 4,
                  direction="bidirectional" if len(names) == 2 else "forward")


def attend(g, read, scores):
    """scores (batch, words, 1)."""
    weights = g.node("Transpose", [g.node("Softmax", [scores], axis=1)], perm=[0, 2, 1])
    return g.node("Squeeze", [g.node("MatMul", [weights, read]), g.sizes(1)])


def visual_encoder(g, w, frame):
    for name in ("conv1", "conv2"):
        frame = g.node("Relu", [g.node("Conv", [frame, *weight_and_bias(g, w, name, (2, 3))])])
    return linear(g, w, "frame", g.node("Flatten", [frame]))


def mask_decoder(g, s, w, seen):
    x = g.node("Relu", [linear(g, w, "mask", seen)])
    x = g.node("Reshape", [x, g.sizes(-1, 64, 7, 7)])
    double = g.constant("double", np.array([1, 1, 2, 2], np.float32))
    for name in ("up3", "up2", "up1"):
        if name != "up1":
            x = g.node("Resize", [x, "", double], mode="nearest", nearest_mode="floor",
                       coordinate_transformation_mode="asymmetric")
        x = g.node("ConvTranspose", [x, *weight_and_bias(g, w, name)], kernel_shape=[4, 4],
                   strides=[2, 2], pads=[1, 1, 1, 1])
        if name != "up1":
            x = g.node("Relu", [x])
    # `sizes` wants the batch too: scales do not.
    scale = g.constant("scale", np.array([1, 1, s.mask / 224, s.mask / 224], np.float32))
    x = g.node("Resize", [x, "", scale], mode="linear", coordinate_transformation_mode="half_pixel")
    return g.node("Squeeze", [x, g.sizes(1)])


class Runner:
    """The loop over the steps. run(file, feed) gives the outputs of a file in their order."""

    def __init__(self, s, run):
        self.s, self.run = s, run

    def prepare(self, inputs, value):
        """value(array): as the engine takes it."""
        s, batch = self.s, len(inputs[0])
        go = value(np.repeat(s.weights()["go"][None], batch, 0))
        nothing = value(np.zeros((batch, s.width), np.float32))
        frames = None
        if s.part != "language":
            frames = [value(np.ascontiguousarray(inputs[-1][:, step])) for step in range(s.steps)]
        given = [value(array) for array in (inputs if s.part == "language" else inputs[:-1])]

        def call():
            if s.part == "core":
                read, h = given
            else:
                read, h = self.run(LANGUAGE, {"ids": given[0]})
            if s.part == "language":
                return read, h
            action, c, scores = go, nothing, []
            for frame in frames:
                logits, action, h, c, *mask = self.run(
                    STEP, {"read": read, "frame": frame, "action": action, "h": h, "c": c})
                scores.append(logits)
            return scores, mask[0] if mask else h

        return call
