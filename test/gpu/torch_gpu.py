"""PyTorch's side of the benchmarks on a GPU: one JSON command a line in, one JSON answer a line out.

    {"hello": true}                                                     -> {"torch": version, "cuda": bool}
    {"name", "model": {"vocabulary", "width", "layers", "heads", "batch", "time"}, "optimizer": "stacked" | "muon"}
                                                                        prepares training under this name
    {"name", "newtonSchulz": "stacked" | "loop", "shapes": [[rows, cols], ...]}
                                                                        prepares the iteration alone
    {"name", "run": N}                                                  N steps -> {"seconds": [mean of one]}

What cannot be done is answered with {"error": words}. --eager: nothing is compiled, and the CPU will do: to try it out.

As fast as plain PyTorch has it: bf16 products and activations over fp32 weights, one fused compiled graph, flash attention, fused
AdamW; and NorMuon on matrices of one shape stacked, which is the stronger of the two rivals.
"""
import json
import math
import sys
import time
from collections import defaultdict

import torch
import torch.nn.functional as F

EAGER = "--eager" in sys.argv
CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
KJ5 = (3.4445, -4.7750, 2.0315)  # KellerJordan/Muon
ROPE_BASE = 10000.0


def compiled(function):
    return function if EAGER else torch.compile(function, dynamic=False)


def synchronize():
    if CUDA:
        torch.cuda.synchronize()


# ---- the model of test/python/gpt.py, in bf16 ----


def norm(x):
    return F.rms_norm(x, (x.shape[-1],))


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)


def forward(embed, blocks, head, inputs, targets, heads, cos, sin):
    batch, length = inputs.shape
    x = F.embedding(inputs, embed).bfloat16()
    width = x.shape[-1]
    for qkv, out, up, down in blocks:
        q, k, v = F.linear(norm(x), qkv.bfloat16()).view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(attended.transpose(1, 2).reshape(batch, length, width), out.bfloat16())
        x = x + F.linear(F.relu(F.linear(norm(x), up.bfloat16())).square(), down.bfloat16())
    logits = F.linear(norm(x), head.bfloat16()).float()
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def parameters(model):
    width = model["width"]

    def uniform(rows, cols):
        bound = math.sqrt(3) / 2 / math.sqrt(cols)
        return torch.empty(rows, cols, device=DEVICE).uniform_(-bound, bound).requires_grad_()

    def zeros(rows, cols):
        return torch.zeros(rows, cols, device=DEVICE, requires_grad=True)

    embed = torch.randn(model["vocabulary"], width, device=DEVICE).requires_grad_()
    blocks = [
        (uniform(3 * width, width), zeros(width, width), uniform(4 * width, width), zeros(width, 4 * width))
        for _ in range(model["layers"])
    ]
    return embed, blocks, zeros(model["vocabulary"], width)


# ---- optimizers ----


def newton_schulz(u):
    """u: (n, rows, cols) fp32. Strided-batched products in plain form."""
    a, b, c = KJ5
    x = u.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT.contiguous()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x.mT if tall else x


def normuon_update(gradients, momentum, second, lr):
    momentum.lerp_(gradients, 0.05)
    o = newton_schulz(momentum).float()
    second.lerp_(o.square().mean(dim=2, keepdim=True), 0.05)
    hat = o / (second.sqrt() + 1e-8)
    return hat * (-lr * 0.2 * math.sqrt(hat.shape[1] * hat.shape[2]) / hat.norm(dim=(1, 2), keepdim=True))


class StackedNorMuon:
    """arXiv 2510.05491, Algorithm 1, on all matrices of one shape at once."""

    def __init__(self, matrices, lr=1e-4, weight_decay=0.1):
        self.lr, self.weight_decay = lr, weight_decay
        self.update = compiled(normuon_update)
        by_shape = defaultdict(list)
        for w in matrices:
            by_shape[tuple(w.shape)].append(w)
        self.stacks = [
            (group, torch.zeros(len(group), *shape, device=DEVICE), torch.zeros(len(group), shape[0], 1, device=DEVICE))
            for shape, group in by_shape.items()
        ]

    @torch.no_grad()
    def step(self):
        for group, momentum, second in self.stacks:
            update = self.update(torch.stack([w.grad for w in group]), momentum, second, self.lr)
            torch._foreach_mul_(group, 1 - self.lr * self.weight_decay)
            torch._foreach_add_(group, list(update.unbind()))


models = {}


def training(model, optimizer):
    key = json.dumps(model)
    if key not in models:
        models.clear()
        # Compiled once: the optimizers take turns on the same weights.
        models[key] = (parameters(model), compiled(forward))
    (embed, blocks, head), loss_of = models[key]
    matrices = [w for block in blocks for w in block]
    shape = (model["batch"], model["time"] + 1)
    tokens = torch.randint(model["vocabulary"], shape, device=DEVICE)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    size = model["width"] // model["heads"]
    frequency = ROPE_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(model["time"], dtype=torch.float64)[:, None] * frequency[None, :]
    cos, sin = (each.to(DEVICE, torch.bfloat16) for each in (angle.cos(), angle.sin()))
    rest = torch.optim.AdamW([embed, head], lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    if optimizer == "muon":
        main = torch.optim.Muon(matrices, lr=1e-4, weight_decay=0.1)
    else:
        main = StackedNorMuon(matrices)
    everything = [embed, head, *matrices]

    def step():
        for w in everything:
            w.grad = None
        loss_of(embed, blocks, head, inputs, targets, model["heads"], cos, sin).backward()
        main.step()
        rest.step()

    return step


# ---- Newton-Schulz alone ----


def iteration(form, shapes):
    by_shape = defaultdict(int)
    for shape in shapes:
        by_shape[tuple(shape)] += 1
    stacks = [torch.randn(count, *shape, device=DEVICE) for shape, count in by_shape.items()]

    @torch.no_grad()
    def stacked():
        for stack in stacks:
            newton_schulz(stack)

    if form == "loop":
        from torch.optim._muon import _zeropower_via_newtonschulz as zeropower

        @torch.no_grad()
        def loop():
            for stack in stacks:
                for matrix in stack:
                    zeropower(matrix, KJ5, 5, 1e-7)

        return loop
    if not CUDA:
        return stacked
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            stacked()
    synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        stacked()
    return graph.replay


def measure(step, count):
    synchronize()
    start = time.perf_counter()
    for _ in range(count):
        step()
    synchronize()
    return {"seconds": [(time.perf_counter() - start) / count]}


steps = {}


def answer(command):
    if "hello" in command:
        return {"torch": torch.__version__, "cuda": CUDA}
    if "run" in command:
        return measure(steps[command["name"]], command["run"])
    if "model" in command:
        step = training(command["model"], command["optimizer"])
    else:
        step = iteration(command["newtonSchulz"], command["shapes"])
    step()  # compiles, and allocates state
    synchronize()
    steps[command["name"]] = step
    return {}


torch.manual_seed(1)
for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:  # told to whoever asked, who goes on without it
        result = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:300]}
    print(json.dumps(result), flush=True)
