"""The recipe of examples/sources-*.muonscope.json in PyTorch eager, fp32: the comparison for loss and time.

    python shakespeare.py TEXT [--optimizer normuon|muon|adamw] [--steps 1000] [--seed 1337]

Prints one JSON line: validation loss in nats per byte (mean over the whole held-out tenth) and seconds.
"""
import argparse
import json
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from gpt import NorMuon, forward, shapes  # noqa: E402

WIDTH, LAYERS, HEADS, CONTEXT, BATCH, VOCABULARY = 128, 4, 4, 128, 16, 256
WARMUP, COOLDOWN = 50, 0.4
LEARNING_RATE = {"normuon": 0.01, "muon": 0.02, "adamw": 0.006}


def initial(generator):
    """modded-nanogpt: normal embedding, uniform(±√3/2/√fan_in) matrices, zero output projections and head."""
    weights = {}
    for name, (rows, cols) in shapes(VOCABULARY, WIDTH, LAYERS).items():
        if name == "embed":
            w = torch.randn(rows, cols, generator=generator)
        elif name.endswith(("attn.out", "mlp.down")) or name == "head":
            w = torch.zeros(rows, cols)
        else:
            w = (torch.rand(rows, cols, generator=generator) * 2 - 1) * (3**0.5 * 0.5 * cols**-0.5)
        weights[name] = w.requires_grad_()
    return weights


def factor(step, steps):
    """Step from 0: linear warm-up, constant, linear to zero over the last COOLDOWN of all steps."""
    return min(1, (step + 1) / WARMUP, (steps - step) / (COOLDOWN * steps))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--optimizer", choices=LEARNING_RATE, default="normuon")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1337)
    args = parser.parse_args()
    data = torch.frombuffer(bytearray(open(args.text, "rb").read()), dtype=torch.uint8).long()
    cut = int(0.9 * len(data))
    train, held_out = data[:cut], data[cut:]
    generator = torch.Generator().manual_seed(args.seed)
    weights = initial(generator)
    matrices = [w for name, w in weights.items() if name not in ("embed", "head")]
    rest = [weights["embed"], weights["head"]]
    lr = LEARNING_RATE[args.optimizer]
    auxiliary = torch.optim.AdamW(rest, lr=0.003, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True)
    if args.optimizer == "adamw":
        main_optimizer = torch.optim.AdamW(matrices, lr=lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
    else:
        main_optimizer = NorMuon(matrices, lr=lr, normalize=args.optimizer == "normuon")
    offsets = torch.arange(CONTEXT + 1)
    start = time.perf_counter()
    for step in range(args.steps):
        main_optimizer.param_groups[0]["lr"] = lr * factor(step, args.steps)
        auxiliary.param_groups[0]["lr"] = 0.003 * factor(step, args.steps)
        at = torch.randint(len(train) - CONTEXT, (BATCH,), generator=generator)
        loss = forward(weights, train[at[:, None] + offsets], HEADS)
        for w in weights.values():
            w.grad = None
        loss.backward()
        main_optimizer.step()
        auxiliary.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} loss {loss.item():.4f} {time.perf_counter() - start:.1f} s", file=sys.stderr)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        windows = (len(held_out) - 1) // CONTEXT
        blocks = torch.stack([held_out[i * CONTEXT : i * CONTEXT + CONTEXT + 1] for i in range(windows)])
        losses = [forward(weights, chunk, HEADS).item() * len(chunk) for chunk in blocks.split(64)]
    print(json.dumps({"validationLoss": sum(losses) / windows, "seconds": seconds, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
