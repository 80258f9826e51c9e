"""ONNX Runtime with its own operators, as its transformer optimizer emits them. int8: dynamic, a
scale per tensor of activations and per channel of weights."""
PACKAGE = "onnxruntime"


def write(job):
    from .onnx_graph import write_onnx

    write_onnx(f"{job.folder}/fp32.onnx", job.encoder, fused=True)
    if job.int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(f"{job.folder}/fp32.onnx", f"{job.folder}/int8.onnx", per_channel=True,
                         weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": 1})  # FLOAT, for its own operators


def load(job):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = ort.InferenceSession(f"{job.folder}/{job.precision}.onnx", options,
                                   providers=["CPUExecutionProvider"])

    def prepare(first):
        feed = dict(zip(("x", "mask"), job.rows(first)))
        return lambda: session.run(None, feed)[0]

    return prepare
