"""ONNX Runtime with its own operators, as its transformer optimizer emits them. int8: dynamic, a
scale per tensor of activations and per channel of weights."""
PACKAGE = "onnxruntime"


def write(job):
    from .onnx_graph import write_onnx

    write_onnx(f"{job.folder}/fp32.onnx", job.model, fused=True)
    if job.int8:
        quantize(f"{job.folder}/fp32.onnx", f"{job.folder}/int8.onnx")


def quantize(path, to):
    """Its dynamic quantisation, but for convolutions: its ConvInteger takes three times as long as
    its Conv."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    quantize_dynamic(path, to, per_channel=True, weight_type=QuantType.QInt8,
                     op_types_to_quantize=[op for op in IntegerOpsRegistry if op != "Conv"],
                     extra_options={"DefaultTensorType": 1})  # FLOAT, for its own operators


def session_of(path, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def load(job):
    session = session_of(f"{job.folder}/{job.precision}.onnx", job.threads)

    def prepare(first):
        feed = dict(zip(("x", "mask"), job.rows(first)))
        return lambda: session.run(None, feed)[0]

    return prepare
