"""Eager PyTorch. int8: `quantize_dynamic` with its defaults, weights and activations per tensor."""
import torch
import torch.nn.functional as F

PACKAGE = "torch"


def linear(weight, bias):
    module = torch.nn.Linear(*weight.shape[::-1])
    module.weight.data, module.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    return module


def norm(weight, bias, eps):
    module = torch.nn.LayerNorm(len(weight), eps)
    module.weight.data, module.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    return module


class Layer(torch.nn.Module):
    def __init__(self, e, w, explicit):
        super().__init__()
        self.heads, self.head, self.explicit = e.heads, e.head, explicit
        for i, name in enumerate("qkv"):
            rows = slice(i * e.width, (i + 1) * e.width)
            setattr(self, name, linear(w["qkv"][rows], w["qkv_bias"][rows]))
        for name in ("out", "up", "down"):
            setattr(self, name, linear(w[name], w[name + "_bias"]))
        for name in ("norm1", "norm2"):
            setattr(self, name, norm(w[name], w[name + "_bias"], e.eps))

    def forward(self, x, mask):
        batch, seq, width = x.shape
        q, k, v = (y.view(batch, seq, self.heads, self.head).transpose(1, 2)
                   for y in (self.q(x), self.k(x), self.v(x)))
        if self.explicit:
            y = torch.softmax(q * self.head ** -0.5 @ k.transpose(2, 3) + mask, -1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.norm1(x + self.out(y.transpose(1, 2).reshape(batch, seq, width)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Module(torch.nn.Module):
    """`explicit`: attention written out instead of the fused function."""

    def __init__(self, e, explicit=False):
        super().__init__()
        self.layers = torch.nn.ModuleList(Layer(e, w, explicit) for w in e.weights())

    def forward(self, x, mask):
        for layer in self.layers:
            x = layer(x, mask)
        return x


def tensors(x, mask):
    """The mask is added to the scores: 0 where a key is there."""
    added = (1.0 - torch.from_numpy(mask).float()) * -1e9
    return torch.from_numpy(x), added[:, None, None, :]


def save(job, module, int8_kinds):
    module.eval()
    if job.int8:
        module = torch.ao.quantization.quantize_dynamic(module, int8_kinds, torch.qint8)
    torch.save(module, f"{job.folder}/model.pt")


def load_saved(job, tensors_of):
    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    module = torch.load(f"{job.folder}/model.pt", weights_only=False)

    def prepare(first):
        args = tensors_of(*job.rows(first))
        return lambda: module(*args)

    return prepare


def write(job):
    save(job, Module(job.model), {torch.nn.Linear})


def load(job):
    return load_saved(job, tensors)
