"""What a test run dumps is what the evaluator reads."""

import json

import numpy as np
import torch

from procrop.datasets.problems import Problems
from procrop.engine.prediction_dump import PredictionDump
from procrop.evaluation.predictions import read_predictions


def test_dump_is_read_back(tmp_path):
    dump = PredictionDump(tmp_path / "d.jsonl")
    boxes, scores = torch.tensor([[0.0, 1, 20.0004, 30]]), torch.tensor([0.25])
    sample = dict(img_id="a", ori_shape=(80, 100), pred_instances=dict(bboxes=boxes, scores=scores))
    ranked = {**sample, "img_id": "b", "candidate_scores": torch.tensor([0.1, 0.7])}
    dump.process(None, [sample, ranked])
    dump.compute_metrics(dump.results)
    assert "candidate_scores" not in json.loads((tmp_path / "d.jsonl").read_text().splitlines()[0])
    problems = Problems()
    found = read_predictions(tmp_path / "d.jsonl", problems)
    assert not problems and found["a"].size == (100, 80)
    np.testing.assert_allclose(found["a"].boxes, [[0, 1, 20, 30]])
    assert found["a"].candidate_scores is None and found["b"].candidate_scores.tolist() == [0.1, 0.7]
