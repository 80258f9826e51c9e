"""ExecuTorch with XNNPACK, which takes attention only when it is written out. int8: dynamic, a
scale per row of activations and per channel of weights."""
PACKAGE = "executorch"


def write(job):
    import torch
    from executorch.backends.xnnpack.partition import xnnpack_partitioner as partition
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as quantizer
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from . import pytorch

    args = pytorch.tensors(*job.rows(0))
    program = torch.export.export(pytorch.Module(job.model, explicit=True).eval(), args)
    partitioners = [partition.XnnpackPartitioner()]
    if job.int8:
        q = quantizer.XNNPACKQuantizer()
        q.set_global(quantizer.get_symmetric_quantization_config(is_per_channel=True,
                                                                 is_dynamic=True))
        module = prepare_pt2e(program.module(), q)
        module(*args)
        program = torch.export.export(convert_pt2e(module), args)
        partitioners.insert(0, partition.XnnpackDynamicallyQuantizedPartitioner())
    program = to_edge_transform_and_lower(program, partitioner=partitioners).to_executorch()
    with open(f"{job.folder}/model.pte", "wb") as file:
        file.write(program.buffer)


def load(job):
    from executorch.extension.pybindings import portable_lib

    from . import pytorch

    portable_lib._unsafe_reset_threadpool(job.threads)
    loaded = portable_lib._load_for_executorch(f"{job.folder}/model.pte")

    def prepare(first):
        args = pytorch.tensors(*job.rows(first))
        return lambda: loaded.forward(args)[0]

    return prepare
