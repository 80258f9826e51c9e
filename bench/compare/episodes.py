"""Recorded episodes of a HiTUT agent as rows of an evaluation set, and as the encoder's inputs."""
import json

import numpy as np
from encoder import Encoder, norm, read_safetensors

TASKS = ("high", "low_mani", "low_navi")
kNoObject, kFeatures = 1, 7


class Model:
    """What `kinglet-weights export` wrote of a HiTUT model."""

    def __init__(self, path):
        self.tensors, values = read_safetensors(path)
        self.values = {key.partition("hitut.")[2]: value for key, value in values.items()}
        self.vision, self.language, self.history, self.seq = (
            int(self.values[key + "_length"]) for key in ("vision", "language", "history", "context"))
        self.encoder = Encoder(
            int(self.values["block_count"]), int(self.values["embedding_length"]),
            int(self.values["attention.head_count"]), int(self.values["feed_forward_length"]),
            float(self.values["attention.layer_norm_epsilon"]), path)
        if self.values["pred_head_pos"] != "cls" or self.values["history_vision"] != "false":
            raise ValueError("only models that navigate by their first position, without past frames")

    def candidate(self, list_name, action):
        """The number of an action in a list of candidates, whose rows are the actions' own."""
        rows = self.tensors[list_name + ".weight"]
        return int(np.abs(rows - self.tensors["action_embd.weight"][action]).sum(1).argmin())


def rows_of(path, model):
    """For each task its rows in the order of the episodes: arrays named as in evaluation sets."""
    with open(path) as file:
        recorded = json.load(file)
    ids = {name: i for i, name in enumerate(recorded["names"])}
    rows = {task: [] for task in TASKS}
    for episode in recorded["episodes"]:
        for step in episode["steps"]:
            rows[step["task"]].append(row_of(recorded, ids, episode, step, model))
    return {task: {key: np.array([row[key] for row in of_task]) for key in of_task[0]}
            for task, of_task in rows.items() if of_task}


def row_of(recorded, ids, episode, step, model):
    """One decision, as the published code prepares it: all positions, and a mask."""
    vision = np.zeros(model.vision, np.int32)
    features = np.zeros((model.vision, kFeatures), np.float32)
    words = np.zeros(model.language, np.int32)
    history = np.zeros(model.history, np.int32)
    vision[0] = kNoObject
    frame = episode["frames"][step["frame"]]
    seen = list(zip(frame["boxes"], frame["classes"], frame["scores"]))[:model.vision - 1]
    for i, (box, category, score) in enumerate(seen, 1):
        corners = np.float32(box) / np.float32(recorded["image_size"])
        vision[i] = category
        features[i] = [*corners, *(corners[2:] - corners[:2]), score]
    text = episode["goal"] if step["lang"] == "goal" else episode["instructions"][step["lang"]]
    text = text["ids"][:model.language]
    words[:len(text)] = text
    past = [ids[name] for name in step["history"].split()][-model.history:]
    history[:len(past)] = past
    mask = np.concatenate([[1], vision != 0, words != 0, history != 0]).astype(np.uint8)
    last = int(np.flatnonzero(mask)[-1])
    navigates = step["task"] == "low_navi"
    gold = step["gold"]
    types = "high_actions" if step["task"] == "high" else "low_actions"
    return {
        "vision_cls": vision, "vision_feats": features, "lang_input": words,
        "action_history_input": history, "seq_mask": mask,
        "arg_pos": np.int32(0 if navigates else last),
        "type_pos": np.int32(0 if navigates else last - 1),
        "rotation": np.int32(step.get("rotation", 0)), "horizon": np.int32(step.get("horizon", 0)),
        "actype_label": np.int32(model.candidate(types, ids[gold["type"]])),
        "arg_label": np.int32(model.candidate("objects", ids[gold["arg"]]) if "arg" in gold else -1),
        "mask_label": np.int32(gold.get("mask", -1))}


def write_set(path, rows):
    """The rows as a .safetensors file for kinglet-bench accuracy."""
    header, blobs, end = {}, [], 0
    names = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32", np.dtype(np.uint8): "U8"}
    for task, arrays in rows.items():
        for name, array in arrays.items():
            blobs.append(array.tobytes())
            header[f"{task}.{name}"] = {"dtype": names[array.dtype], "shape": array.shape,
                                        "data_offsets": [end, end + len(blobs[-1])]}
            end += len(blobs[-1])
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def embed(model, task, rows):
    """What the encoder reads, (rows, seq, width): word, action and posture rows with their
    positions, normalised."""
    t = model.tensors
    count, width = len(rows["type_pos"]), model.encoder.width
    first = np.zeros((count, 1, width), np.float32)
    if task == "low_navi":
        posture = t["rotation_embd.weight"][rows["rotation"]] + t["horizon_embd.weight"][rows["horizon"]]
        first[:, 0] = norm(posture, t["posture_norm.weight"], t["posture_norm.bias"],
                           float(model.values["posture_layer_norm_epsilon"]))
    actions = t["action_embd.weight"]
    seen = rows["vision_feats"] @ t["vision_in.weight"].T + t["vision_in.bias"]
    x = np.concatenate([first, actions[rows["vision_cls"]] + seen,
                        t["token_embd.weight"][rows["lang_input"]],
                        actions[rows["action_history_input"]]], axis=1)
    x = norm(x + t["position_embd.weight"][:model.seq], t["token_embd_norm.weight"],
             t["token_embd_norm.bias"], model.encoder.eps)
    return x.astype(np.float32)


def answers(model, task, rows, hidden):
    """The most probable type and argument of each row, from the encoder's output."""
    def largest(position, list_name):
        read = hidden[np.arange(len(hidden)), position]
        return (read @ model.tensors[list_name + ".weight"].T).argmax(1).tolist()

    types = "high_actions" if task == "high" else "low_actions"
    return {"type": largest(rows["type_pos"], types), "arg": largest(rows["arg_pos"], "objects")}
