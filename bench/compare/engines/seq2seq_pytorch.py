"""Eager PyTorch. int8: `quantize_dynamic` of Linear, LSTM and LSTMCell with its defaults; the
convolutions stay fp32."""
import torch
import torch.nn.functional as F

from .pytorch import linear, load_saved, save

PACKAGE = "torch"


def fill(module, **values):
    for name, value in values.items():
        getattr(module, name).data = torch.from_numpy(value)
    return module


class Language(torch.nn.Module):
    def __init__(self, s, w):
        super().__init__()
        self.words = fill(torch.nn.Embedding(s.words, s.embedding), weight=w["words"])
        self.lstm = torch.nn.LSTM(s.embedding, s.hidden, bidirectional=True, batch_first=True)
        for name, suffix in (("forward", ""), ("backward", "_reverse")):
            fill_lstm(self.lstm, w, name, "_l0" + suffix)
        self.pool = torch.nn.Parameter(torch.from_numpy(w["pool"]))

    def forward(self, ids):
        read, _ = self.lstm(self.words(ids))
        return read, attend(read, read @ self.pool)


def fill_lstm(module, w, name, suffix):
    bias = w[name + ".bias"]
    fill(module, **{"weight_ih" + suffix: w[name + ".ih"], "weight_hh" + suffix: w[name + ".hh"],
                    "bias_ih" + suffix: bias, "bias_hh" + suffix: 0 * bias})


def attend(read, scores):
    return torch.bmm(torch.softmax(scores, 1)[:, None], read)[:, 0]


class Core(torch.nn.Module):
    def __init__(self, s, w):
        super().__init__()
        self.query = linear(w["query"], w["query.bias"])
        self.cell = torch.nn.LSTMCell(s.cell_in, s.width)
        fill_lstm(self.cell, w, "cell", "")
        self.actor = linear(w["actor"], w["actor.bias"])
        self.actions = fill(torch.nn.Embedding(s.actions, s.embedding), weight=w["actions"])

    def forward(self, read, visual, action, h, c):
        attended = attend(read, torch.bmm(read, self.query(h)[:, :, None])[:, :, 0])
        x = torch.cat([visual, attended, action], 1)
        h, c = self.cell(x, (h, c))
        seen = torch.cat([h, x], 1)
        scores = self.actor(seen) @ self.actions.weight.T
        return scores, self.actions(scores.argmax(1)), h, c, seen


class Visual(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        for name, n, k in (("conv1", 256, 512), ("conv2", 64, 256)):
            setattr(self, name, fill(torch.nn.Conv2d(k, n, 1), bias=w[name + ".bias"],
                                     weight=w[name].reshape(n, k, 1, 1)))
        self.frame = linear(w["frame"], w["frame.bias"])

    def forward(self, frame):
        return self.frame(F.relu(self.conv2(F.relu(self.conv1(frame)))).flatten(1))


class Mask(torch.nn.Module):
    def __init__(self, s, w):
        super().__init__()
        self.size = s.mask
        self.first = linear(w["mask"], w["mask.bias"])
        for name, n, k in (("up3", 32, 64), ("up2", 16, 32), ("up1", 1, 16)):
            setattr(self, name, fill(torch.nn.ConvTranspose2d(k, n, 4, 2, 1), weight=w[name],
                                     bias=w[name + ".bias"]))

    def forward(self, seen):
        x = F.relu(self.first(seen)).view(-1, 64, 7, 7)
        x = F.relu(self.up3(F.interpolate(x, scale_factor=2)))
        x = F.relu(self.up2(F.interpolate(x, scale_factor=2)))
        return F.interpolate(self.up1(x), size=(self.size, self.size), mode="bilinear")


class Agent(torch.nn.Module):
    def __init__(self, s):
        super().__init__()
        w = s.weights()
        self.part, self.embedding = s.part, s.embedding
        self.go = torch.from_numpy(w["go"])
        if s.part != "core":
            self.language = Language(s, w)
        if s.part != "language":
            self.core = Core(s, w)
        if s.part == "whole":
            self.visual, self.mask = Visual(w), Mask(s, w)

    def forward(self, *inputs):
        if self.part == "language":
            return self.language(*inputs)
        if self.part == "core":
            read, h, frames = inputs
        else:
            ids, frames = inputs
            read, h = self.language(ids)
        c, action, scores = torch.zeros_like(h), self.go.expand(len(h), -1), []
        for step in range(frames.shape[1]):
            visual = frames[:, step]
            if self.part == "whole":
                visual = self.visual(visual)
            logits, action, h, c, seen = self.core(read, visual, action, h, c)
            scores.append(logits)
            if self.part == "whole":
                mask = self.mask(seen)
        return torch.stack(scores, 1), mask[:, 0] if self.part == "whole" else h


def write(job):
    save(job, Agent(job.model), {torch.nn.Linear, torch.nn.LSTM, torch.nn.LSTMCell})


def load(job):
    return load_saved(job, lambda *arrays: [torch.from_numpy(array) for array in arrays])
