"""The engine's model and optimizer in plain PyTorch: an oracle for gradients and the other side of the benchmarks.

Written from the same sources as the engine (modded-nanogpt's architecture at GPT-2's shape; arXiv 2510.05491 for
the optimizer), with nothing shared but names, so that an error in one does not hide in the other.
"""
import math

import torch
import torch.nn.functional as F

EPS = torch.finfo(torch.float32).eps  # F.rms_norm's default for fp32; named so that float64 uses the same
ROPE_BASE = 10000.0  # Su et al. 2021 (RoFormer), section 3.2.2


def rms_norm(x):
    return F.rms_norm(x, (x.shape[-1],), eps=EPS)


def rotary(time, head_dim, dtype):
    """cos, sin: (T, D/2)."""
    frequency = ROPE_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angle = torch.arange(time, dtype=torch.float64)[:, None] * frequency[None, :]
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x, cos, sin):
    """x: (B, H, T, D); the first half of D is rotated against the second."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)


def forward(weights, tokens, heads):
    """Mean next-token loss in nats. weights: name -> (out, in); tokens: (B, T + 1) of int64."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    batch, time = inputs.shape
    x = weights["embed"][inputs]  # (B, T, C)
    width = x.shape[-1]
    cos, sin = rotary(time, width // heads, x.dtype)
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    for i in range(layers):
        block = f"blocks.{i}."
        qkv = rms_norm(x) @ weights[block + "attn.qkv"].T  # (B, T, 3C)
        q, k, v = (part.view(batch, time, heads, -1).transpose(1, 2) for part in qkv.split(width, dim=-1))
        q, k = rotate(rms_norm(q), cos, sin), rotate(rms_norm(k), cos, sin)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + out.transpose(1, 2).reshape(batch, time, width) @ weights[block + "attn.out"].T
        x = x + F.relu(rms_norm(x) @ weights[block + "mlp.up"].T).square() @ weights[block + "mlp.down"].T
    logits = rms_norm(x) @ weights["head"].T
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def shapes(vocabulary, width, layers):
    """name -> (rows, cols) of every parameter."""
    result = {"embed": (vocabulary, width)}
    for i in range(layers):
        result |= {
            f"blocks.{i}.attn.qkv": (3 * width, width),
            f"blocks.{i}.attn.out": (width, width),
            f"blocks.{i}.mlp.up": (4 * width, width),
            f"blocks.{i}.mlp.down": (width, 4 * width),
        }
    return result | {"head": (vocabulary, width)}


def newton_schulz(u, dtype=torch.bfloat16, steps=5):
    """KellerJordan/Muon's quintic, five steps; bfloat16 as its authors run it."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = u.to(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(u.dtype)


class NorMuon(torch.optim.Optimizer):
    """arXiv 2510.05491, Algorithm 1; `normalize=False` leaves Muon at the paper's scale. `dtype`: of Newton-Schulz."""

    def __init__(self, params, lr, weight_decay=0.1, beta1=0.95, beta2=0.95, eps=1e-8, normalize=True, dtype=torch.bfloat16):
        options = dict(lr=lr, weight_decay=weight_decay, beta1=beta1, beta2=beta2, eps=eps, normalize=normalize, dtype=dtype)
        super().__init__(params, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                if not state:
                    state["momentum"], state["v"] = torch.zeros_like(w), torch.zeros_like(w[:, :1])
                momentum = state["momentum"].lerp_(w.grad, 1 - group["beta1"])
                o = newton_schulz(momentum, group["dtype"])
                state["v"].lerp_(o.square().mean(dim=1, keepdim=True), 1 - group["beta2"])
                hat = o / (state["v"].sqrt() + group["eps"]) if group["normalize"] else o
                norm = hat.norm()
                scale = 0.2 * math.sqrt(w.numel()) / norm if norm > 0 else 0.0
                w.mul_(1 - group["lr"] * group["weight_decay"]).sub_(hat, alpha=float(group["lr"] * scale))
