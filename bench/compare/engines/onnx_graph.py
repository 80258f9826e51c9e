"""ONNX files: what builds their graphs, and the encoder as one, for ONNX Runtime and OpenVINO."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Nodes and constants in the order in which they were added; all results are float."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind, inputs, domain="", outputs=1, **attributes):
        """The name of its result, or a list where it has more."""
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def own(self, kind, inputs, **attributes):
        """An operator of ONNX Runtime's own."""
        return self.node(kind, inputs, "com.microsoft", **attributes)

    def number(self, value):
        return self.constant(f"number_{len(self.constants)}", np.float32(value))

    def sizes(self, *values):
        return self.constant(f"sizes_{len(self.constants)}", np.array(values, np.int64))

    def save(self, path, inputs, outputs):
        """inputs: {name: (type, shape)}; outputs: {name: (the node's result, shape)}."""
        for name, (result, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [result], [name]))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, "graph", [value(name, *of) for name, of in inputs.items()],
            [value(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            self.constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def write_onnx(path, e, fused):
    """`fused`: with ONNX Runtime's own operators, as its transformer optimizer emits them."""
    g = Graph()
    node, constant, number, sizes, own = g.node, g.constant, g.number, g.sizes, g.own

    x = "x"
    if not fused:
        absent = node("Sub", [number(1), node("Cast", ["mask"], to=TensorProto.FLOAT)])
        added = node("Unsqueeze", [node("Mul", [absent, number(-1e9)]), sizes(1, 2)])
    for i, w in enumerate(e.weights()):
        def vector(name):
            return constant(f"{name}_{i}", w[name])

        def product(x, name, rows=slice(None)):
            return node("MatMul", [x, constant(f"{name}_{i}_{rows.start}", w[name][rows].T)])

        def head(x, part, order):
            rows = slice(part * e.width, (part + 1) * e.width)
            bias = constant(f"qkv_bias_{i}_{part}", w["qkv_bias"][rows])
            y = node("Add", [product(x, "qkv", rows), bias])
            return node("Transpose", [node("Reshape", [y, sizes(0, 0, e.heads, e.head)])],
                        perm=order)

        def add_norm(y, bias, x, name):
            gamma, beta = vector(name), vector(name + "_bias")
            if fused:
                return own("SkipLayerNormalization", [y, x, gamma, beta, vector(bias)],
                           epsilon=e.eps)
            total = node("Add", [node("Add", [y, vector(bias)]), x])
            return node("LayerNormalization", [total, gamma, beta], axis=-1, epsilon=e.eps)

        if fused:
            y = own("Attention", [x, constant(f"qkv_{i}", w["qkv"].T), vector("qkv_bias"), "mask"],
                    num_heads=e.heads)
        else:
            q = node("Mul", [head(x, 0, [0, 2, 1, 3]), number(e.head ** -0.5)])
            k, v = head(x, 1, [0, 2, 3, 1]), head(x, 2, [0, 2, 1, 3])
            p = node("Softmax", [node("Add", [node("MatMul", [q, k]), added])], axis=-1)
            y = node("Transpose", [node("MatMul", [p, v])], perm=[0, 2, 1, 3])
            y = node("Reshape", [y, sizes(0, 0, e.width)])
        x = add_norm(product(y, "out"), "out_bias", x, "norm1")
        h = product(x, "up")
        if fused:
            h = own("BiasGelu", [h, vector("up_bias")])
        else:
            h = node("Add", [h, vector("up_bias")])
            erf = node("Erf", [node("Mul", [h, number(2 ** -0.5)])])
            h = node("Mul", [node("Mul", [h, node("Add", [erf, number(1)])]), number(0.5)])
        x = add_norm(product(h, "down"), "down_bias", x, "norm2")

    shape = ["batch", "seq", e.width]
    g.save(path, {"x": (TensorProto.FLOAT, shape), "mask": (TensorProto.INT32, shape[:2])},
           {"y": (x, shape)})
