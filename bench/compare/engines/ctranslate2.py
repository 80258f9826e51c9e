"""CTranslate2 reads token ids: the rows of all inputs are its word table. int8: dynamic, a scale
per row of activations and per channel of weights."""
import ctranslate2 as ct2
import numpy as np

PACKAGE = "ctranslate2"


def write(job):
    from ctranslate2.specs import common_spec, transformer_spec

    e = job.model
    x = job.inputs[0]
    rows, seq, _ = x.shape
    spec = transformer_spec.TransformerEncoderSpec(
        e.layers, e.heads, pre_norm=False, activation=common_spec.Activation.GELU)
    spec.scale_embeddings = False
    spec.embeddings[0].weight = x.reshape(-1, e.width)
    spec.position_encodings.encodings = np.zeros((seq, e.width), np.float32)
    for layer, w in zip(spec.layer, e.weights()):
        for part, name in ((layer.self_attention.linear[0], "qkv"),
                           (layer.self_attention.linear[1], "out"),
                           (layer.ffn.linear_0, "up"), (layer.ffn.linear_1, "down")):
            part.weight, part.bias = w[name], w[name + "_bias"]
        for part, name in ((layer.self_attention.layer_norm, "norm1"),
                           (layer.ffn.layer_norm, "norm2")):
            part.gamma, part.beta = w[name], w[name + "_bias"]
    model = transformer_spec.TransformerEncoderModelSpec(spec)
    model.register_vocabulary(["<unk>", "<s>", "</s>", *map(str, range(rows * seq - 3))])
    model.validate()
    model.optimize(quantization="int8" if job.int8 else None)
    model.save(job.folder)


def load(job):
    loaded = ct2.Encoder(job.folder, device="cpu", inter_threads=1, intra_threads=job.threads,
                         compute_type="int8_float32" if job.int8 else "float32")
    mask = job.inputs[1]
    ids = np.arange(mask.size, dtype=np.int32).reshape(mask.shape)

    def prepare(first):
        rows = slice(first, first + job.batch)
        # A mask may have holes; lengths have none, so that what is behind them is attended too.
        if not (np.diff(mask[rows], axis=1) <= 0).all():
            raise NotImplementedError("it takes lengths, no masks")
        these = ct2.StorageView.from_array(ids[rows])
        lengths = ct2.StorageView.from_array(mask[rows].sum(1).astype(np.int32))
        return lambda: loaded.forward_batch(these, lengths).last_hidden_state

    return prepare
