"""PyTorch's inductor with frozen weights: packed once, at compile time."""
import torch
import torch._inductor.config

from . import pytorch

PACKAGE = "torch"


def write(job):
    if job.int8:
        raise NotImplementedError("dynamic int8 is timed by torch alone")
    pytorch.write(job)


def load(job):
    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    torch._inductor.config.freezing = True
    module = torch.compile(torch.load(f"{job.folder}/model.pt", weights_only=False))

    def prepare(first):
        args = pytorch.tensors(*job.rows(first))
        return lambda: module(*args)

    return prepare
