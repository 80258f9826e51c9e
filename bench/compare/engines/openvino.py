"""OpenVINO from plain ONNX operators. int8 is static: scales fixed by calibration, which saves work
but needs it; a class apart."""
PACKAGE = "openvino"


def write(job):
    from .onnx_graph import write_onnx

    write_onnx(f"{job.folder}/fp32.onnx", job.model, fused=False)
    if not job.int8:
        return
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        feeds = iter([{"x": job.inputs[0][:1], "mask": job.inputs[1][:1]}])

        def get_next(self):
            return next(self.feeds, None)

    q.quantize_static(f"{job.folder}/fp32.onnx", f"{job.folder}/int8.onnx", Reader(),
                      quant_format=q.QuantFormat.QDQ, per_channel=True,
                      weight_type=q.QuantType.QInt8, activation_type=q.QuantType.QUInt8,
                      op_types_to_quantize=["MatMul"],
                      extra_options={"MatMulConstBOnly": True})


def request_of(path, threads):
    import openvino as ov

    config = {"INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY",
              "INFERENCE_PRECISION_HINT": "f32"}  # without it: bfloat16 where the CPU has it
    return ov.Core().compile_model(path, "CPU", config).create_infer_request()


def load(job):
    request = request_of(f"{job.folder}/{job.precision}.onnx", job.threads)

    def prepare(first):
        feed = dict(zip(("x", "mask"), job.rows(first)))
        return lambda: request.infer(feed)[0]

    return prepare
