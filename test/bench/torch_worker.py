"""PyTorch's side of `npm run bench`: one JSON command a line in, one JSON answer a line out.

    {"model": {"vocabulary", "width", "layers", "heads", "batch", "time"}, "optimizer": "adamw" | "normuon"}  prepares training
    {"muon": [[rows, cols], ...]}                                                                             prepares torch.optim.Muon
    {"run": N}                                                                                                N steps -> {"seconds": [...]}
"""
import json
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from gpt import NorMuon, forward, shapes  # noqa: E402


def training(model, optimizer):
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: (torch.randn(shape, generator=generator) / shape[1] ** 0.5).requires_grad_()
        for name, shape in shapes(model["vocabulary"], model["width"], model["layers"]).items()
    }
    tokens = torch.randint(model["vocabulary"], (model["batch"], model["time"] + 1), generator=generator)
    matrices = [w for name, w in weights.items() if name not in ("embed", "head")]
    rest = [weights["embed"], weights["head"]]
    if optimizer == "adamw":
        optimizers = [torch.optim.AdamW(weights.values(), lr=1e-4, fused=True)]
    else:
        optimizers = [NorMuon(matrices, lr=1e-4), torch.optim.AdamW(rest, lr=1e-4, fused=True)]

    def step():
        for w in weights.values():
            w.grad = None
        forward(weights, tokens, model["heads"]).backward()
        for each in optimizers:
            each.step()

    return step


def muon(matrices):
    weights = [torch.randn(rows, cols).requires_grad_() for rows, cols in matrices]
    for w in weights:
        w.grad = torch.randn_like(w)
    return torch.optim.Muon(weights, lr=1e-4).step


step = None
for line in sys.stdin:
    command = json.loads(line)
    if "run" in command:
        seconds = []
        for _ in range(command["run"]):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        answer = {"seconds": seconds}
    else:
        step = muon(command["muon"]) if "muon" in command else training(command["model"], command["optimizer"])
        step()  # state is allocated in the first step
        answer = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(answer), flush=True)
