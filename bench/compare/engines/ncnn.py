"""ncnn as pnnx maps the model: MultiHeadAttention and Gemm. It has no batch: the sequences run one
after the other. int8 has a scale per row of activations, and per channel (q, k, v) or matrix (all
others) of weights; it covers Q·K and P·V too."""
import ncnn
import numpy as np

PACKAGE = "ncnn"


def write(job):
    e, int8 = job.model, job.int8
    lines, blobs = [], set()
    kFloat, kInt8 = np.uint32(0), np.uint32(0x000D4B38)  # what follows in the file

    def layer(kind, inputs, outputs, parameters=""):
        name = f"{kind}_{len(lines)}"
        lines.append(f"{kind} {name} {len(inputs)} {len(outputs)} "
                     f"{' '.join([*inputs, *outputs])} {parameters}")
        blobs.update(outputs)
        return outputs[0]

    with open(f"{job.folder}/model.bin", "wb") as file:
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
                rows = slice(part * e.width, (part + 1) * e.width)
                scales.append(put_matrix(w["qkv"][rows], per_channel=True))
                put(w["qkv_bias"][rows])
            scales.append(put_matrix(w["out"], per_channel=False))
            put(w["out_bias"])
            if int8:
                put(*scales)
            return layer("MultiHeadAttention", [x, mask], [y],
                         f"0={e.width} 1={e.heads} 2={e.width ** 2} 3={e.width} 4={e.width} 5=1"
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
            return layer("LayerNorm", [total], [out], f"0={e.width} 1={e.eps} 2=1")

        layer("Input", [], ["x"])
        layer("Input", [], ["mask"])
        layer("Split", ["mask"], [f"mask_{i}" for i in range(e.layers)])
        x = "x"
        for i, w in enumerate(e.weights()):
            layer("Split", [x], [f"x1_{i}", f"x2_{i}"])
            y = attention(f"x1_{i}", f"mask_{i}", f"y_{i}", w)
            x = add_norm(f"x2_{i}", y, f"n_{i}", w, "norm1")
            layer("Split", [x], [f"x3_{i}", f"x4_{i}"])
            h = layer("GELU", [linear(f"x3_{i}", f"u_{i}", w, "up")], [f"g_{i}"], "0=0")
            y = linear(h, f"d_{i}", w, "down")
            x = add_norm(f"x4_{i}", y, f"l_{i}", w, "norm2")
    with open(f"{job.folder}/model.param", "w") as file:
        file.write("\n".join(["7767517", f"{len(lines)} {len(blobs)}", *lines]) + "\n")


def load(job):
    net = ncnn.Net()
    net.opt.num_threads = job.threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = False
    files = [f"{job.folder}/model.{end}" for end in ("param", "bin")]
    if net.load_param(files[0]) or net.load_model(files[1]):
        raise RuntimeError("the model was refused")
    last = net.output_names()[0]

    def prepare(first):
        x, mask = job.rows(first)
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

    return prepare
