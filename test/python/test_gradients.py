"""The engine's gradients and its first NorMuon steps against PyTorch autograd in float64."""
import json
import os
import subprocess
import tempfile
import unittest

try:
    import torch
    from safetensors import safe_open

    from gpt import NorMuon, forward

    MISSING = None
except ImportError as error:
    MISSING = f"PyTorch oracle: {error}"

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# fp32 keeps about 1e-7 of each value; a backward pass and a quintic iteration sum a few thousand of them.
GRADIENT_TOLERANCE = 2e-6
TRAJECTORY_TOLERANCE = 1e-5


@unittest.skipIf(MISSING, MISSING)
class Gradients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "oracle.safetensors")
            subprocess.run(["node", os.path.join(ROOT, "dist", "test", "python", "dump.js"), path], check=True)
            with safe_open(path, "pt") as file:
                cls.metadata = file.metadata()
                cls.tensors = {name: file.get_tensor(name).double() for name in file.keys()}
        cls.heads = int(cls.metadata["heads"])

    def weights(self, prefix):
        start = f"{prefix}/weight."
        return {n[len(start) :]: t.clone() for n, t in self.tensors.items() if n.startswith(start)}

    def assert_close(self, ours, oracle, tolerance, what):
        error = ((ours - oracle).norm() / oracle.norm()).item()
        self.assertLess(error, tolerance, f"{what}: relative error {error:.2e}")

    def test_every_gradient_matches_autograd(self):
        weights = {name: w.requires_grad_() for name, w in self.weights("initial").items()}
        loss = forward(weights, self.tensors["tokens"].long(), self.heads)
        loss.backward()
        self.assertAlmostEqual(float(self.metadata["loss"]), loss.item(), delta=1e-5)
        self.assertEqual(len(weights), 10)
        for name, w in weights.items():
            self.assert_close(self.tensors[f"gradient/{name}"], w.grad, GRADIENT_TOLERANCE, name)

    def test_three_normuon_steps_match(self):
        weights = {name: w.requires_grad_() for name, w in self.weights("initial").items()}
        rest = [weights["embed"], weights["head"]]
        matrices = [w for name, w in weights.items() if name not in ("embed", "head")]
        optimizers = [
            NorMuon(matrices, lr=0.02, weight_decay=0.1, dtype=torch.float64),
            torch.optim.AdamW(rest, lr=0.003, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0),
        ]
        for step, expected in enumerate(json.loads(self.metadata["losses"])):
            loss = forward(weights, self.tensors[f"tokens.{step}"].long(), self.heads)
            self.assertAlmostEqual(expected, loss.item(), delta=1e-4, msg=f"loss of step {step}")
            for w in weights.values():
                w.grad = None
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        for name, ours in self.weights("final").items():
            self.assert_close(ours, weights[name].detach(), TRAJECTORY_TOLERANCE, name)


if __name__ == "__main__":
    unittest.main()
