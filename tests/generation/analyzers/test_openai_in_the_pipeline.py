"""The API analyser as a step: what of its answers the pipeline keeps."""

import numpy as np
from chat_server import KEY, completion, serving
from PIL import Image

from procrop.generation import CompositionAnalysis
from procrop.generation.analysis import BeyondImage
from procrop.generation.pipeline import generate
from procrop.generation.settings import GenerationSettings

ANSWER = CompositionAnalysis("A boat on a lake.", beyond=BeyondImage(scene="a mountain lake")).as_dict()


def test_the_pipeline_asks_again_once_the_answer_is_deleted(tmp_path, monkeypatch):
    """What was refused stays out, for nothing, until its file is gone from the cache."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (700, 700, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"p{number}.png")

    def run(url):
        first = dict(type="OpenAIAnalyzer", cache=str(tmp_path / "answers"), base_url=url)
        steps = [first, dict(type="RandomCanvas"), dict(type="OpenCVOutpainter")]
        made = GenerationSettings(dict(type="FolderSource", root=str(photos)), steps, expansions=1)
        return generate(made, tmp_path / "out")

    with serving(
        completion(ANSWER), completion(None, refusal="I would rather not"), completion(ANSWER)
    ) as server:
        first = run(server.url)
        assert (first.made, first.dataset.items, len(server.asked)) == (2, 1, 2)
        assert [entry["photo"] for entry in first.dataset.rejected] == ["p1.png"]
        again = run(server.url)
        assert (again.made, len(server.asked)) == (0, 2) and again.dataset == first.dataset
        (refused,) = (p for p in (tmp_path / "answers").rglob("*.json") if "rather not" in p.read_text())
        refused.unlink()
        last = run(server.url)
        assert (last.made, last.dataset.items, last.dataset.rejected, len(server.asked)) == (1, 2, [], 3)
