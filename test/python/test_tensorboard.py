"""A run's log, written by the trainer, read back by TensorBoard's own EventAccumulator."""
import json
import os
import subprocess
import tempfile
import unittest

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    MISSING = None
except ImportError as error:
    MISSING = f"TensorBoard: {error}"

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STEPS = 8


@unittest.skipIf(MISSING, MISSING)
class TensorBoard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        text = os.path.join(cls.folder.name, "text.txt")
        with open(text, "w") as file:
            file.write("the quick brown fox jumps over the lazy dog\n" * 400)
        run_file = os.path.join(cls.folder.name, "tiny.muonscope.json")
        with open(run_file, "w") as file:
            json.dump(
                {
                    "model": {"layers": 1, "width": 32, "heads": 2, "context": 32},
                    "data": {"files": ["text.txt"], "validationFraction": 0.2},
                    "batch": {"size": 2},
                    "steps": STEPS,
                    "validation": {"every": 4, "batches": 2},
                },
                file,
            )
        runs = os.path.join(cls.folder.name, "runs")
        subprocess.run(["node", os.path.join(ROOT, "dist", "trainer.js"), run_file, "--runs", runs], check=True, capture_output=True)
        (name,) = os.listdir(runs)
        cls.log = EventAccumulator(os.path.join(runs, name), size_guidance={"scalars": 0, "histograms": 0})
        cls.log.Reload()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_scalars(self):
        losses = self.log.Scalars("loss/train")
        self.assertEqual([event.step for event in losses], list(range(1, STEPS + 1)))
        self.assertAlmostEqual(losses[0].value, 5.545, delta=0.01)  # ln 256: a zero head predicts every byte alike
        self.assertLess(losses[-1].value, losses[0].value)
        tags = self.log.Tags()["scalars"]
        for tag in ("loss/val", "optimizer/lr", "optimizer/grad_norm", "throughput/tokens_per_second", "time/diagnostics"):
            self.assertIn(tag, tags)
        kappa = self.log.Scalars("condition_number/update/blocks.0.mlp.up")
        self.assertGreaterEqual(kappa[0].value, 1)

    def test_histograms(self):
        for tap in ("orthogonalized", "update"):
            first = self.log.Histograms(f"neuron_norm/{tap}/blocks.0.mlp.up")[0]
            value = first.histogram_value
            self.assertEqual(value.num, 128)  # one entry per output neuron: 4 x width rows
            self.assertEqual(sum(value.bucket), 128)
            self.assertEqual(list(value.bucket_limit), sorted(value.bucket_limit))
            # 64 bins of 1/8 from -4 to 4, and one of the same width beyond each end, whatever is in it.
            self.assertGreaterEqual(value.min, -4.125)
            self.assertLessEqual(value.max, 4.125)


if __name__ == "__main__":
    unittest.main()
