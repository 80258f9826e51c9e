"""The encoder that every engine runs, and one function an engine that builds it.

The model: 6 post-norm layers as in RoBERTa, 768 wide, 12 heads, 3072 inner, exact GELU, the same
random weights and inputs for all. An engine is a function

    engine(folder, precision, threads, x, mask) -> call

that writes what files it needs into `folder` and returns a function without arguments that computes
y from x (batch, seq, 768) and mask (batch, seq) once. Where the engine allows it, y is left in the
form that the engine returns and turned into NumPy by `numpy.asarray`.

    python models.py ENGINE PRECISION BATCH SEQ THREADS

is one engine in a process of its own. It prints a line of JSON, {"version", "error"}: its error
against `reference`, in float64. Then it reads lines from stdin, each a number of seconds, computes
for about so long, at least 5 times, and prints the milliseconds of each call as a line of JSON.
"""
import json
import math
import os
import sys
import tempfile
import time
from importlib.metadata import version

LAYERS, WIDTH, HEADS, INNER, EPS = 6, 768, 12, 3072, 1e-5
HEAD = WIDTH // HEADS


def flops(batch, seq):
    """Of the matrix products with weights, and of those within attention."""
    linear = 2 * batch * seq * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER) * LAYERS
    return linear, 4 * batch * seq * seq * WIDTH * LAYERS


def weights():
    """A dict for each layer. Matrices are (outputs, inputs); qkv stacks those of q, k and v.

    The deviation, 0.05, makes the probabilities of attention far from equal, so that a wrong scale
    or mask would show in the error.
    """
    import numpy as np

    rng = np.random.default_rng(1)

    def normal(*shape, mean=0.0, deviation=0.05):
        return (mean + deviation * rng.standard_normal(shape)).astype(np.float32)

    layers = []
    for _ in range(LAYERS):
        w = {}
        for name, n, k in (("qkv", 3 * WIDTH, WIDTH), ("out", WIDTH, WIDTH),
                           ("up", INNER, WIDTH), ("down", WIDTH, INNER)):
            w[name], w[name + "_bias"] = normal(n, k), normal(n)
        for name in ("norm1", "norm2"):
            w[name], w[name + "_bias"] = normal(WIDTH, mean=1.0), normal(WIDTH)
        layers.append(w)
    return layers


def inputs(batch, seq):
    import numpy as np

    x = np.random.default_rng(2).standard_normal((batch, seq, WIDTH)).astype(np.float32)
    return x, np.ones((batch, seq), np.int32)


def reference(x):
    """The encoder in float64 for one sequence x (seq, 768), as the formulas read."""
    import numpy as np

    erf = np.vectorize(math.erf)

    def norm(x, w, name):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred ** 2).mean(-1, keepdims=True) + EPS)
        return centred / deviation * w[name] + w[name + "_bias"]

    x = x.astype(np.float64)
    for w in weights():
        def linear(x, name):
            return x @ w[name].T.astype(np.float64) + w[name + "_bias"]

        q, k, v = linear(x, "qkv").reshape(len(x), 3, HEADS, HEAD).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(HEAD)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        x = norm(x + linear((p @ v).transpose(1, 0, 2).reshape(len(x), WIDTH), "out"), w, "norm1")
        h = linear(x, "up")
        x = norm(x + linear(h * (1 + erf(h / math.sqrt(2))) / 2, "down"), w, "norm2")
    return x


# ------------------------------------------------------------------------------ PyTorch, ExecuTorch
def torch_module(explicit=False):
    """The model in eager PyTorch; attention by its fused function, or `explicit`: written out."""
    import torch
    import torch.nn.functional as F

    def linear(weight, bias):
        module = torch.nn.Linear(*weight.shape[::-1])
        module.weight.data, module.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        return module

    def norm(weight, bias):
        module = torch.nn.LayerNorm(WIDTH, EPS)
        module.weight.data, module.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        return module

    class Layer(torch.nn.Module):
        def __init__(self, w):
            super().__init__()
            for i, name in enumerate("qkv"):
                rows = slice(i * WIDTH, (i + 1) * WIDTH)
                setattr(self, name, linear(w["qkv"][rows], w["qkv_bias"][rows]))
            for name in ("out", "up", "down"):
                setattr(self, name, linear(w[name], w[name + "_bias"]))
            for name in ("norm1", "norm2"):
                setattr(self, name, norm(w[name], w[name + "_bias"]))

        def forward(self, x, mask):
            batch, seq, _ = x.shape
            q, k, v = (y.view(batch, seq, HEADS, HEAD).transpose(1, 2)
                       for y in (self.q(x), self.k(x), self.v(x)))
            if explicit:
                y = torch.softmax(q * HEAD ** -0.5 @ k.transpose(2, 3) + mask, -1) @ v
            else:
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = self.norm1(x + self.out(y.transpose(1, 2).reshape(batch, seq, WIDTH)))
            return self.norm2(x + self.down(F.gelu(self.up(x))))

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList(Layer(w) for w in weights())

        def forward(self, x, mask):
            for layer in self.layers:
                x = layer(x, mask)
            return x

    return Encoder().eval()


def torch_inputs(x, mask):
    """The mask is added to the scores: 0 where a key is there."""
    import torch

    added = (1.0 - torch.from_numpy(mask).float()) * -1e9
    return torch.from_numpy(x), added[:, None, None, :]


def torch_eager(folder, precision, threads, x, mask):
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    module = torch_module()
    if precision == "int8":  # its default: weights and activations per tensor
        module = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear}, torch.qint8)
    args = torch_inputs(x, mask)
    return lambda: module(*args)


def torch_compiled(folder, precision, threads, x, mask):
    import torch
    import torch._inductor.config

    if precision != "fp32":
        raise NotImplementedError("dynamic int8 is timed by torch alone")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch._inductor.config.freezing = True  # weights are constants: packed once, at compile time
    module = torch.compile(torch_module())
    args = torch_inputs(x, mask)
    return lambda: module(*args)


def executorch(folder, precision, threads, x, mask):
    """XNNPACK, which takes attention only when it is written out. int8: a scale per row of
    activations and per channel of weights."""
    import torch
    from executorch.backends.xnnpack.partition import xnnpack_partitioner as partition
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as quantizer
    from executorch.exir import to_edge_transform_and_lower
    from executorch.extension.pybindings import portable_lib
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    args = torch_inputs(x, mask)
    program = torch.export.export(torch_module(explicit=True), args)
    partitioners = [partition.XnnpackPartitioner()]
    if precision == "int8":
        q = quantizer.XNNPACKQuantizer()
        q.set_global(quantizer.get_symmetric_quantization_config(is_per_channel=True,
                                                                 is_dynamic=True))
        module = prepare_pt2e(program.module(), q)
        module(*args)
        program = torch.export.export(convert_pt2e(module), args)
        partitioners.insert(0, partition.XnnpackDynamicallyQuantizedPartitioner())
    program = to_edge_transform_and_lower(program, partitioner=partitioners).to_executorch()
    with open(f"{folder}/model.pte", "wb") as file:
        file.write(program.buffer)
    portable_lib._unsafe_reset_threadpool(threads)
    loaded = portable_lib._load_for_executorch(f"{folder}/model.pte")
    return lambda: loaded.forward(args)[0]


# --------------------------------------------------------------------------- ONNX Runtime, OpenVINO
def write_onnx(path, fused):
    """`fused`: with ONNX Runtime's own operators, as its transformer optimizer emits them."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, domain="", **attributes):
        out = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [out], domain=domain, **attributes))
        return out

    def number(value):
        return constant(f"number_{len(constants)}", np.float32(value))

    def sizes(*values):
        return constant(f"sizes_{len(constants)}", np.array(values, np.int64))

    def own(kind, inputs, **attributes):
        return node(kind, inputs, "com.microsoft", **attributes)

    x = "x"
    if not fused:
        absent = node("Sub", [number(1), node("Cast", ["mask"], to=TensorProto.FLOAT)])
        added = node("Unsqueeze", [node("Mul", [absent, number(-1e9)]), sizes(1, 2)])
    for i, w in enumerate(weights()):
        def vector(name):
            return constant(f"{name}_{i}", w[name])

        def product(x, name, rows=slice(None)):
            return node("MatMul", [x, constant(f"{name}_{i}_{rows.start}", w[name][rows].T)])

        def head(x, part, order):
            rows = slice(part * WIDTH, (part + 1) * WIDTH)
            bias = constant(f"qkv_bias_{i}_{part}", w["qkv_bias"][rows])
            y = node("Add", [product(x, "qkv", rows), bias])
            return node("Transpose", [node("Reshape", [y, sizes(0, 0, HEADS, HEAD)])], perm=order)

        def add_norm(y, bias, x, name):
            gamma, beta = vector(name), vector(name + "_bias")
            if fused:
                return own("SkipLayerNormalization", [y, x, gamma, beta, vector(bias)],
                           epsilon=EPS)
            total = node("Add", [node("Add", [y, vector(bias)]), x])
            return node("LayerNormalization", [total, gamma, beta], axis=-1, epsilon=EPS)

        if fused:
            y = own("Attention", [x, constant(f"qkv_{i}", w["qkv"].T), vector("qkv_bias"), "mask"],
                    num_heads=HEADS)
        else:
            q = node("Mul", [head(x, 0, [0, 2, 1, 3]), number(HEAD ** -0.5)])
            k, v = head(x, 1, [0, 2, 3, 1]), head(x, 2, [0, 2, 1, 3])
            p = node("Softmax", [node("Add", [node("MatMul", [q, k]), added])], axis=-1)
            y = node("Transpose", [node("MatMul", [p, v])], perm=[0, 2, 1, 3])
            y = node("Reshape", [y, sizes(0, 0, WIDTH)])
        x = add_norm(product(y, "out"), "out_bias", x, "norm1")
        h = product(x, "up")
        if fused:
            h = own("BiasGelu", [h, vector("up_bias")])
        else:
            h = node("Add", [h, vector("up_bias")])
            erf = node("Erf", [node("Mul", [h, number(2 ** -0.5)])])
            h = node("Mul", [node("Mul", [h, node("Add", [erf, number(1)])]), number(0.5)])
        x = add_norm(product(h, "down"), "down_bias", x, "norm2")
    nodes.append(helper.make_node("Identity", [x], ["y"]))

    shape = ["batch", "seq", WIDTH]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "encoder",
        [value("x", TensorProto.FLOAT, shape), value("mask", TensorProto.INT32, shape[:2])],
        [value("y", TensorProto.FLOAT, shape)], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def onnxruntime(folder, precision, threads, x, mask):
    """int8: a scale per tensor of activations and per channel of weights."""
    import onnxruntime as ort

    path = f"{folder}/model.onnx"
    write_onnx(path, fused=True)
    if precision == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(path, f"{folder}/int8.onnx", per_channel=True,
                         weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": 1})  # FLOAT, for its own operators
        path = f"{folder}/int8.onnx"
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"x": x, "mask": mask}
    return lambda: session.run(None, feed)[0]


def openvino(folder, precision, threads, x, mask):
    """int8 is static: scales fixed by calibration, which saves work but needs it; a class apart."""
    import openvino as ov

    path = f"{folder}/model.onnx"
    write_onnx(path, fused=False)
    if precision == "int8":
        from onnxruntime import quantization as q

        class Reader(q.CalibrationDataReader):
            feeds = iter([{"x": x[:1], "mask": mask[:1]}])

            def get_next(self):
                return next(self.feeds, None)

        q.quantize_static(path, f"{folder}/int8.onnx", Reader(), quant_format=q.QuantFormat.QDQ,
                          per_channel=True, weight_type=q.QuantType.QInt8,
                          activation_type=q.QuantType.QUInt8, op_types_to_quantize=["MatMul"],
                          extra_options={"MatMulConstBOnly": True})
        path = f"{folder}/int8.onnx"
    config = {"INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY",
              "INFERENCE_PRECISION_HINT": "f32"}  # without it: bfloat16 where the CPU has it
    request = ov.Core().compile_model(path, "CPU", config).create_infer_request()
    feed = {"x": x, "mask": mask}
    return lambda: request.infer(feed)[0]


# --------------------------------------------------------------------------------------------- ncnn
def write_ncnn(path, int8):
    """As pnnx maps the model: MultiHeadAttention and Gemm. int8 has a scale per row of activations,
    and per channel (q, k, v) or matrix (all others) of weights; it covers Q·K and P·V too."""
    import numpy as np

    lines, blobs = [], set()
    kFloat, kInt8 = np.uint32(0), np.uint32(0x000D4B38)  # what follows in the file

    def layer(kind, inputs, outputs, parameters=""):
        name = f"{kind}_{len(lines)}"
        lines.append(f"{kind} {name} {len(inputs)} {len(outputs)} "
                     f"{' '.join([*inputs, *outputs])} {parameters}")
        blobs.update(outputs)
        return outputs[0]

    with open(path + ".bin", "wb") as file:
        def put(*arrays):
            for a in arrays:
                file.write(np.ascontiguousarray(a).tobytes())

        def put_matrix(w, per_channel):
            """Returns the scales, which int8 layers keep behind everything else."""
            if not int8:
                put(kFloat, w)
                return None
            scale = np.float32(127) / np.abs(w).max(1 if per_channel else None, keepdims=True)
            put(kInt8, np.clip(np.rint(w * scale), -127, 127).astype(np.int8))
            return scale

        def attention(x, mask, y, w):
            """q, k, v, then out; each with its bias."""
            scales = []
            for part in range(3):
                rows = slice(part * WIDTH, (part + 1) * WIDTH)
                scales.append(put_matrix(w["qkv"][rows], per_channel=True))
                put(w["qkv_bias"][rows])
            scales.append(put_matrix(w["out"], per_channel=False))
            put(w["out_bias"])
            if int8:
                put(*scales)
            return layer("MultiHeadAttention", [x, mask], [y],
                         f"0={WIDTH} 1={HEADS} 2={WIDTH * WIDTH} 3={WIDTH} 4={WIDTH} 5=1"
                         + int8 * " 18=2")

        def linear(x, y, w, name):
            n, k = w[name].shape
            scale = put_matrix(w[name], per_channel=False)
            put(kFloat, w[name + "_bias"])
            if int8:
                put(scale)
            return layer("Gemm", [x], [y], f"2=0 3=1 4=0 5=1 6=1 7=0 8={n} 9={k} 10=4"
                         + int8 * " 18=2")

        def add_norm(x, y, out, w, name):
            total = layer("BinaryOp", [x, y], [out + "_sum"], "0=0")
            put(w[name], w[name + "_bias"])
            return layer("LayerNorm", [total], [out], f"0={WIDTH} 1={EPS} 2=1")

        layer("Input", [], ["x"])
        layer("Input", [], ["mask"])
        layer("Split", ["mask"], [f"mask_{i}" for i in range(LAYERS)])
        x = "x"
        for i, w in enumerate(weights()):
            layer("Split", [x], [f"x1_{i}", f"x2_{i}"])
            y = attention(f"x1_{i}", f"mask_{i}", f"y_{i}", w)
            x = add_norm(f"x2_{i}", y, f"n_{i}", w, "norm1")
            layer("Split", [x], [f"x3_{i}", f"x4_{i}"])
            h = layer("GELU", [linear(f"x3_{i}", f"u_{i}", w, "up")], [f"g_{i}"], "0=0")
            y = linear(h, f"d_{i}", w, "down")
            x = add_norm(f"x4_{i}", y, f"l_{i}", w, "norm2")
    with open(path + ".param", "w") as file:
        file.write("\n".join(["7767517", f"{len(lines)} {len(blobs)}", *lines]) + "\n")
    return x


def ncnn(folder, precision, threads, x, mask):
    """It has no batch: the sequences run one after the other."""
    import ncnn
    import numpy as np

    last = write_ncnn(f"{folder}/model", precision == "int8")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = False
    if net.load_param(f"{folder}/model.param") or net.load_model(f"{folder}/model.bin"):
        raise RuntimeError("the model was refused")
    # ncnn.Mat is a view: the arrays live as long as the function below.
    arrays = [np.ascontiguousarray(sequence) for sequence in x]
    added = [np.tile(np.where(m, 0, -1e9).astype(np.float32), (len(m), 1)) for m in mask]
    pairs = [(ncnn.Mat(a), ncnn.Mat(b)) for a, b in zip(arrays, added)]

    def call(_keep=(arrays, added)):
        out = []
        for a, b in pairs:
            run = net.create_extractor()
            run.input("x", a)
            run.input("mask", b)
            out.append(np.asarray(run.extract(last)[1]))
        return out

    return call


# -------------------------------------------------------------------------------------- CTranslate2
def ctranslate2(folder, precision, threads, x, mask):
    """It reads token ids: the rows of x are its word table. int8: a scale per row of both."""
    import ctranslate2 as ct2
    import numpy as np
    from ctranslate2.specs import common_spec, transformer_spec

    batch, seq, _ = x.shape
    encoder = transformer_spec.TransformerEncoderSpec(
        LAYERS, HEADS, pre_norm=False, activation=common_spec.Activation.GELU)
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = x.reshape(-1, WIDTH)
    encoder.position_encodings.encodings = np.zeros((seq, WIDTH), np.float32)
    for layer, w in zip(encoder.layer, weights()):
        for spec, name in ((layer.self_attention.linear[0], "qkv"),
                           (layer.self_attention.linear[1], "out"),
                           (layer.ffn.linear_0, "up"), (layer.ffn.linear_1, "down")):
            spec.weight, spec.bias = w[name], w[name + "_bias"]
        for spec, name in ((layer.self_attention.layer_norm, "norm1"),
                           (layer.ffn.layer_norm, "norm2")):
            spec.gamma, spec.beta = w[name], w[name + "_bias"]
    model = transformer_spec.TransformerEncoderModelSpec(encoder)
    model.register_vocabulary(["<unk>", "<s>", "</s>", *map(str, range(batch * seq - 3))])
    model.validate()
    model.optimize(quantization="int8" if precision == "int8" else None)
    model.save(folder)
    loaded = ct2.Encoder(folder, device="cpu", inter_threads=1, intra_threads=threads,
                         compute_type="int8_float32" if precision == "int8" else "float32")
    ids = np.arange(batch * seq, dtype=np.int32).reshape(batch, seq)
    ids = ct2.StorageView.from_array(ids)
    lengths = ct2.StorageView.from_array(mask.sum(1).astype(np.int32))
    return lambda: loaded.forward_batch(ids, lengths).last_hidden_state


ENGINES = {  # name in the table: (package that tells its version, function)
    "torch": ("torch", torch_eager),
    "torch.compile": ("torch", torch_compiled),
    "onnxruntime": ("onnxruntime", onnxruntime),
    "openvino": ("openvino", openvino),
    "ncnn": ("ncnn", ncnn),
    "executorch": ("executorch", executorch),
    "ctranslate2": ("ctranslate2", ctranslate2),
}


def serve(engine, precision, batch, seq, threads):
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the engine prints itself goes to stderr
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(sys.prefix, "inductor"))
    import numpy as np

    package, build = ENGINES[engine]
    x, mask = inputs(batch, seq)
    expected = reference(x[0])
    with tempfile.TemporaryDirectory() as folder:
        call = build(folder, precision, threads, x, mask)
        call()
        y = np.asarray(call())[0]
        error = float(np.linalg.norm(y - expected) / np.linalg.norm(expected))
        print(json.dumps({"version": version(package), "error": error}), file=answers)
        for line in sys.stdin:
            call()
            times, end = [], time.perf_counter() + float(line)
            while len(times) < 5 or time.perf_counter() < end:
                begin = time.perf_counter()
                call()
                times.append((time.perf_counter() - begin) * 1e3)
            print(json.dumps(times), file=answers)
    answers.flush()
    os._exit(0)  # some engines crash when they are taken apart


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
