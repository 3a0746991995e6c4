"""What a GPU computes is what a CPU computes, in float32; mixed precision learns without NaN."""

import copy

import pytest
import torch
from builders import build, grid_cfg, photos, procrop_cfg, references, sample

pytestmark = [
    pytest.mark.gpu,
]


@pytest.fixture(autouse=True)
def full_float32(monkeypatch):
    """Without TF32, which keeps 10 bits of a product's mantissa."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def twins(cfg):
    """One model, on the CPU and on the GPU."""
    torch.manual_seed(0)
    model = build(cfg)
    model.init_weights()
    return model, copy.deepcopy(model).cpu()


def batch(n: int = 3) -> list:
    return [sample(references(k, seed=k) if k else None) for k in range(n)]


def on(device: str, samples: list) -> list:
    return [s.to(device) for s in samples]


@pytest.mark.parametrize("cfg", [procrop_cfg(), procrop_cfg(references=False)], ids=["references", "blind"])
def test_raw_outputs_agree(cfg):
    cpu, gpu = (model.eval() for model in twins(cfg))
    with torch.no_grad():
        expected = cpu(photos(3), batch(), mode="tensor")
        found = gpu(photos(3).cpu(), on("cpu", batch()), mode="tensor")
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b.cpu(), a, rtol=1e-4, atol=1e-4)


def test_scored_crops_agree():
    cpu, gpu = (model.eval() for model in twins(grid_cfg()))
    with torch.no_grad():
        expected = cpu(photos(2), batch(2), mode="predict")
        found = gpu(photos(2).cpu(), on("cpu", batch(2)), mode="predict")
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(
            b.pred_instances.scores.cpu(), a.pred_instances.scores, rtol=1e-3, atol=1e-4
        )


def test_losses_and_gradients_agree():
    cpu, gpu = twins(procrop_cfg())
    losses = []
    for model, device in ((cpu, "cpu"), (gpu, "cpu")):
        found = model(photos(3).to(device), on(device, batch()), mode="loss")
        total, _ = model.parse_losses(found)
        total.backward()
        losses.append(float(total.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for (name, a), b in zip(cpu.named_parameters(), gpu.parameters(), strict=True):
        if a.grad is not None:
            torch.testing.assert_close(b.grad.cpu(), a.grad, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("cfg", [procrop_cfg(), grid_cfg()], ids=["detr", "anchors"])
def test_mixed_precision_learns(cfg, dtype):
    torch.manual_seed(0)
    model = build(cfg).cpu()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
    scaler = torch.amp.GradScaler(enabled=dtype == torch.float16)
    losses = []
    for _ in range(30):
        with torch.autocast("cpu", dtype=dtype):
            total, _ = model.parse_losses(model(photos(3).cpu(), on("cpu", batch()), mode="loss"))
        optimiser.zero_grad()
        scaler.scale(total).backward()
        scaler.step(optimiser)
        scaler.update()
        losses.append(float(total.detach()))
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5]), losses
