"""Several models: scores, floors, differences, and the forms they are written in."""

import csv
import json
import math

import numpy as np
import pytest
from scored_photos import records

from procrop.evaluation.comparison import Draws, compare, comparison_json, comparison_text
from procrop.evaluation.named_protocols import NAMED, default_protocols, make_protocols
from procrop.evaluation.paper_table import (
    OVERLAP_FORM,
    SUBJECT_FORM,
    accuracy_form,
    form_of,
    paper_table,
)
from procrop.evaluation.photo_sheet import write_photo_sheet


def _worse(found):
    """The same photos, every second one without its best prediction."""
    changed = records()
    for record in changed[::2]:
        record.pred, record.pred_scores = record.pred[1:], record.pred_scores[1:]
    return changed


@pytest.fixture(scope="module")
def comparison():
    protocols = make_protocols(("acc", "crop_best", "grid", "ap"))
    return compare(protocols, {"one": records(), "other": _worse(records())}, Draws(resamples=300))


def test_differences_are_those_of_the_figures(comparison):
    one, other = (found.named for found in comparison.models.values())
    changes = comparison.differences["other", "one"]
    assert {"acc/acc_1/5@0.85", "crop_best/iou@1", "grid/srcc", "ap/ap_10@0.85"} <= set(changes)
    for key, change in changes.items():
        assert change.value == pytest.approx(other[key] - one[key])
        assert change.low - 1e-12 <= change.value <= change.high + 1e-12 or key.startswith("ap")
    assert changes["grid/srcc"].p == 1.0 and changes["grid/srcc"].high == 0.0
    # floors are computed once and do not change between models
    assert "crop_best/random_iou@1" in one and "crop_best/random_iou@1" not in other
    assert all(protocol.floors for protocol in comparison.models["one"].protocols)


def test_json_has_everything_and_no_nan(comparison):
    content = comparison_json(comparison)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert [model["name"] for model in content["models"]] == ["one", "other"]
    assert content["models"][0]["excluded"] == 1
    assert not any("random" in key for key in content["models"][0]["figures"])
    assert {"ap/random_ap_10@0.85", "acc/full_photo_acc_1/5@0.85"} <= set(content["floors"])
    assert content["differences"][0]["model"] == "other" and content["differences"][0]["less"] == "one"
    assert content["bootstrap"] == {"resamples": 300, "seed": 0, "level": 0.95, "by_source": False}


def test_text_sets_scores_beside_floors_and_differences_below(comparison):
    text = comparison_text(comparison)
    head = text.splitlines()[0].split()
    assert head[:3] == ["score", "one", "other"] and head[3:] == "random full photo centre crop".split()
    table = text.split("\n\n")[0].splitlines()
    (line,) = (line for line in table if line.split()[0] == "crop_best/iou@1")
    assert len(line.split()) == 6
    assert "95% intervals from 300 paired draws of photos" in text and "other - one" in text


def test_one_model_or_no_draws_makes_no_difference():
    found = compare(make_protocols(["crop"]), {"one": records(5)})
    assert found.differences == {} and comparison_json(found)["bootstrap"] is None
    found = compare(make_protocols(["crop"]), {"a": records(5), "b": records(5)}, Draws(resamples=0))
    assert found.differences == {}


def test_subjects_of_one_photo_are_drawn_together():
    models = {"a": records(), "b": _worse(records())}
    together, apart = (
        compare(make_protocols(["crop"]), models, Draws(resamples=200, by_source=by)) for by in (True, False)
    )
    assert together.differences["b", "a"]["crop/iou@1"].low != apart.differences["b", "a"]["crop/iou@1"].low
    assert "draws of original photos" in comparison_text(together)


def test_photo_sheet(comparison, tmp_path):
    write_photo_sheet(tmp_path / "p.csv", comparison.models, records())
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(records()) and not any(k.startswith("ap/") or "random" in k for k in rows[0])
    key = "crop_best/disp@2"
    mine = [float(row[key]) for row in rows if row["model"] == "one" and row[key]]
    assert np.mean(mine) == pytest.approx(comparison.models["one"].named[key], abs=1e-8)


def test_every_named_protocol_measures_and_its_keys_are_its_own():
    keys = {}
    for name in NAMED:
        (found,) = compare(make_protocols([name]), {"m": records(8)}).models.values()
        assert all(math.isfinite(value) for value in found.named.values())
        keys[name] = {k for k in found.scores if not k.startswith("acc/best_crop_recall") or name == "acc"}
    for name, own in keys.items():
        shared = {other for other in keys if other != name and own & keys[other]}
        # the swapped Disp comes with the same IoU, and the weighted ACC does not depend on ties
        assert shared <= {
            "crop_independent": {"crop_swapped"},
            "crop_swapped": {"crop_independent"},
            "grid": {"grid_file_order"},
            "grid_file_order": {"grid"},
        }.get(name, set())
    with pytest.raises(ValueError, match="unknown protocol 'x'; known: acc,"):
        make_protocols(["x"])
    assert default_protocols(True, True) == ("acc", "crop_best", "grid")
    assert default_protocols(False, True) == ("crop",)


def test_paper_rows_by_hand():
    figures = {"acc/acc_1/5@0.85": 0.8541, "acc/mean_acc_5@0.85": 0.8176, "acc/acc_1/10@0.85": 0.942}
    floors = {"acc/random_acc_1/5@0.85": 0.25, "crop/random_iou@1": 0.5}
    assert paper_table(form_of("gaicv2", figures), {"Ours|": figures}, floors).splitlines() == [
        "| Methods | ACC1/5 (↑) | avg. ACC5 (↑) | ACC1/10 (↑) | avg. ACC10 (↑) |",
        "|---|---|---|---|---|",
        "| Ours/ | 85.4 | 81.8 | 94.2 | – |",
        "| *random* | 25.0 | – | – | – |",
    ]
    ranker = paper_table(accuracy_form(), {"G": {"grid/acc_1/5_ties": 0.535}}, {}).splitlines()
    assert ranker[2:] == ["| G | – | – | – | – |", "| G (exact grid) | 53.5 | – | – | – |"]
    overlap = {"crop/iou@1": 0.8431, "crop/disp@1": 0.0362, "crop/iou@2": 0.9, "crop/disp@2": 0.02}
    floors = {"crop/full_photo_iou": 0.7, "crop/full_photo_disp": 0.06}
    assert form_of("flms", overlap) is OVERLAP_FORM and form_of("SACDDataset", overlap) is SUBJECT_FORM
    assert paper_table(OVERLAP_FORM, {"m": overlap}, floors).splitlines()[2:] == [
        "| m | 0.843 | 0.036 |",
        "| *full photo* | 0.700 | 0.060 |",
    ]
    assert paper_table(SUBJECT_FORM, {"m": overlap}, {}, ["CAD", "✓"]).splitlines()[2:] == [
        "| m | CAD | ✓ | 0.8431 | 0.0362 |",
        "| m (N=2) | CAD | ✓ | 0.9000 | 0.0200 |",
    ]
