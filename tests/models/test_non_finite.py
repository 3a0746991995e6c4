"""NaN in a real model: the losses show it, so that the hook can name step and photos. And what must not make one."""

from types import SimpleNamespace

import pytest
import torch
from builders import build, head_cfg, photos, procrop_cfg, references, sample

from procrop.engine.hooks import NonFiniteLossError, NonFiniteLossHook
from procrop.models.heads import crop_detr_head

SOFT = dict(type="QualitySoftLabel", iou_thr=0.85, low=2.0, high=3.5, bound=0.5)


def batch():
    samples = [sample(references(3)), sample(references(1, seed=1))]
    samples[1].set_metainfo(dict(img_id="photo7"))
    return samples


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = build(procrop_cfg(bbox_head=head_cfg(soft_label=SOFT)))
    model.init_weights()
    return model.train()


@pytest.mark.parametrize(
    "where, terms",
    [("cls_branch.weight", ["loss_cls"]), ("reg_branch.layers.0.weight", ["loss_bbox", "loss_iou"])],
)
def test_nan_in_the_weights_reaches_the_hook(model, where, terms):
    hook, samples = NonFiniteLossHook(), batch()
    hook.before_train(SimpleNamespace(model=model, epoch=2, iter=6))
    hook.before_train_iter(None, 0, dict(data_samples=samples))
    model(photos(2), samples, mode="loss")  # nothing to say yet
    with torch.no_grad():
        model.bbox_head.get_parameter(where).fill_(float("nan"))
    with pytest.raises(NonFiniteLossError) as caught:
        model(photos(2), samples, mode="loss")
    text = str(caught.value)
    assert "epoch 3, iteration 7" in text and "Photos of the batch: 0, photo7." in text
    assert all(f"{prefix}{term} = nan" in text for term in terms for prefix in ("", "d0."))


def test_one_bad_photo_is_not_matched_and_the_others_are(model, monkeypatch):
    """Whatever is NaN: the same terms, parameters and collective calls, or another process would wait for ever."""
    calls = []
    monkeypatch.setattr(crop_detr_head, "reduce_mean", lambda value: calls.append(1) or value)
    head, seen = model.bbox_head, []
    g = torch.Generator().manual_seed(0)
    for bad in ("", "logit", "box", "both"):
        model.zero_grad()
        logits, boxes = head(model.extract_memory(photos(2), batch()))
        logits = logits + torch.randn(2, 2, 5, generator=g)
        if bad in ("logit", "both"):
            logits = logits.masked_fill(_at(logits, (0, 1, 2)), float("nan"))
        if bad in ("box", "both"):
            boxes = boxes.masked_fill(_at(boxes, (1, 0, 3, 1)), float("nan"))
        losses = head.loss_by_feat(logits, boxes, batch())
        nan = {name for name, value in losses.items() if not value.isfinite()}
        expected = {"d0.loss_cls"} if bad in ("logit", "both") else set()
        if bad in ("box", "both"):
            expected |= {"loss_cls", "loss_bbox", "loss_iou"}
        assert nan == expected, bad
        sum(losses.values()).backward()
        taking_part = {name for name, p in model.named_parameters() if p.grad is not None}
        seen.append((list(losses), taking_part, len(calls)))
        calls.clear()
    assert all(row == seen[0] for row in seen) and seen[0][2] == 1
    assert {name for name, p in model.named_parameters() if p.requires_grad} == seen[0][1]


def _at(tensor, index):
    mask = torch.zeros(tensor.shape, dtype=torch.bool)
    mask[index] = True
    return mask


def test_mixed_precision_on_the_cpu_is_finite(model):
    exact, _ = model.parse_losses(model(photos(2), batch(), mode="loss"))
    seen = []
    model.bbox_head.cls_branch.register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(photos(2), batch(), mode="loss")
    assert seen == [torch.bfloat16]  # else nothing was tested
    assert len(losses) == 6 and all(value.isfinite() for value in losses.values())
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total.float(), exact, rtol=0.05, atol=0.0)
    total.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
