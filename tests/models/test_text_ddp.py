"""Two processes of which one has text: no parameter is unused, and both end with the same gradients."""

import os
import socket

import torch
import torch.distributed as dist
from builders import references, sample, text_tokens
from fusion_variants import feature_maps, variant
from torch.nn.parallel import DistributedDataParallel

# what the photo of each process carries, iteration by iteration; DDP tells of an unused parameter in the next one
STEPS = [("text", "none"), ("none", "text"), ("none", "none"), ("both", "references"), ("text", "none")]


def photo(kind, seed):
    refs = references(2, seed=seed) if kind in ("references", "both") else None
    return sample(refs, text=text_tokens(3 + seed, seed=seed) if kind in ("text", "both") else None)


def model():
    return variant("both", text=True).train()


def losses(net, kind, rank):
    found = net(feature_maps(1, seed=rank), [photo(kind, rank)], mode="loss")
    return sum(value for name, value in found.items() if "loss" in name)


def gradients(net):
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.requires_grad}


def worker(rank, port, folder):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    dist.init_process_group("gloo", rank=rank, world_size=2)
    net, found = DistributedDataParallel(model(), find_unused_parameters=False), []
    for kinds in STEPS:
        net.zero_grad()
        losses(net, kinds[rank], rank).backward()
        found.append(gradients(net.module))
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_text_on_one_process_only(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # a fork need not import all again, which takes longer than the rest; where CUDA runs, it could not go backward
    method = "spawn" if torch.cuda.is_initialized() else "fork"
    torch.multiprocessing.start_processes(worker, (port, tmp_path), nprocs=2, start_method=method)
    both = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    net = model()
    for step, kinds in enumerate(STEPS):
        # each photo has one positive crop, so the mean over processes is that of two runs of one process
        alone = []
        for rank, kind in enumerate(kinds):
            net.zero_grad()
            losses(net, kind, rank).backward()
            alone.append(gradients(net))
        for name, gradient in both[0][step].items():
            assert torch.equal(gradient, both[1][step][name]), (step, name)
            expected = (alone[0][name] + alone[1][name]) / 2
            torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=1e-6, msg=f"{step} {name}")
        moved = both[0][step]["context_encoders.text_tokens.token_proj.weight"].any()
        assert bool(moved) == any(kind in ("text", "both") for kind in kinds)
