"""What retrieval and text cost: ProCrop against mmdet's own Conditional DETR, and with text against without.

All sides: ResNet-50, the same photo size (short side 600 by default), N = 90 queries, random weights.
ProCrop fuses K = 10 references of m = 64 tokens, and with text m' = 35 precomputed tokens too. Written: Markdown tables
with medians and the ratio of each interleaved pair.

    python tools/benchmarks/model.py [--pairs 11] [--device cpu] [--only text] [--out FILE.md]
"""

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parents[2]
TARGETS = dict(flops=1.10, forward=1.15, train=1.25, whole=float("inf"))
TEXT_TARGET = 1.10  # of a forward pass
TEXT_SHAPE = (35, 768)  # of BLIP base: the longest captions that it was trained on, and its width


def parse_args() -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=11, help="counted pairs per figure (default 11)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--size", default="800x600", help="photo as the model sees it, WIDTHxHEIGHT")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.add_argument("--only", choices=["retrieval", "text"], help="one of the two tables")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    return parser.parse_args()


def model_config(in_channels: int = 256, text: bool = False) -> Any:
    """The config of ProCrop, with or without the text branch."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    init_default_scope("procrop")
    cfg = Config.fromfile(ROOT / "configs" / f"procrop_gaicv2{'_text' if text else ''}.py").model
    cfg.backbone.init_cfg = None
    cfg.context_encoders.references.update(in_channels=in_channels, token_grid=(8, 8))
    if text:
        cfg.context_encoders.text_tokens.in_channels = TEXT_SHAPE[1]
    return cfg


def build_text_models() -> tuple[Any, Any]:
    """ProCrop with text, and without, with random weights."""
    from procrop.registry import MODELS

    return tuple(MODELS.build(model_config(text=text)) for text in (True, False))


def build_models(in_channels: int = 256) -> tuple[Any, Any]:
    """ProCrop and mmdet's Conditional DETR on the same parts, with random weights."""
    from mmengine.config import Config

    from procrop.registry import MODELS

    cfg = model_config(in_channels)
    peer = dict(
        type="mmdet.ConditionalDETR",
        num_queries=cfg.bbox_head.num_queries,
        backbone=cfg.backbone,
        neck=cfg.neck,
        encoder=cfg.encoder,
        decoder=cfg.bbox_head.decoder,
        positional_encoding=cfg.positional_encoding,
        data_preprocessor=cfg.data_preprocessor,
        bbox_head=dict(
            type="mmdet.ConditionalDETRHead",
            num_classes=1,
            embed_dims=256,
            sync_cls_avg_factor=True,
            loss_cls=dict(type="mmdet.FocalLoss", use_sigmoid=True, loss_weight=2.0),
        ),
        train_cfg=dict(assigner=cfg.bbox_head.assigner),
        test_cfg=dict(max_per_img=cfg.bbox_head.num_queries),
    )
    return MODELS.build(cfg), MODELS.build(Config(dict(peer=peer)).peer)


def without_compiled_focal_loss() -> None:
    """Let mmdet compute the peer's focal loss in PyTorch on a GPU too, as it does on a CPU: mmcv may have been compiled
    without its CUDA operators, and ProCrop needs none of them."""
    import torch.nn.functional as F
    from mmdet.models.losses import focal_loss

    def in_pytorch(pred: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        classes = pred.size(1)
        return focal_loss.py_sigmoid_focal_loss(
            pred, F.one_hot(target, classes + 1)[:, :classes], *args, **kwargs
        )

    focal_loss.sigmoid_focal_loss = in_pytorch


def make_samples(width: int, height: int, k: int = 10, m: int = 64, channels: int = 256) -> tuple[Any, Any]:
    """The same annotated photo for ProCrop (with references) and for mmdet."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    from procrop.structures import CropDataSample

    meta = dict(
        img_shape=(height, width),
        ori_shape=(height, width),
        batch_input_shape=(height, width),
        scale_factor=(1.0, 1.0),
        img_id="0",
    )
    boxes = torch.rand(8, 4) * 0.4
    boxes = torch.cat([boxes[:, :2], 1 - boxes[:, 2:]], 1) * torch.tensor([width, height, width, height])
    ours, peer = CropDataSample(metainfo=meta), DetDataSample(metainfo=meta)
    ours.gt_instances = InstanceData(
        bboxes=boxes, scores=torch.full((8,), 4.5), positives=torch.ones(8, dtype=torch.bool)
    )
    peer.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(8, dtype=torch.long))
    ours.references = InstanceData(
        ids=torch.arange(k),
        scores=torch.rand(k),
        tokens=torch.randn(k, m, channels).half(),
        mask=torch.zeros(k, dtype=torch.bool),
    )
    return ours, peer


def make_text_samples(width: int, height: int) -> tuple[Any, Any]:
    """The same annotated photo with references, with text and without."""
    import torch

    plain, _ = make_samples(width, height)
    with_text = plain.clone()
    with_text.text_tokens = torch.randn(*TEXT_SHAPE).half()
    return with_text, plain


def count_flops(run: Callable[[], object]) -> int:
    """Floating-point operations of one call, counted at the level of matrix products and convolutions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused attention hides its products from the counter
    try:
        with FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter.get_total_flops()


def flop_ratio(width: int = 800, height: int = 600) -> tuple[int, int]:
    """FLOPs of one forward pass of ProCrop and of mmdet's Conditional DETR."""
    return both_flops(build_models(), make_samples(width, height), width, height)


def text_flop_ratio(width: int = 800, height: int = 600) -> tuple[int, int]:
    """FLOPs of one forward pass of ProCrop with references and text, and with references alone."""
    return both_flops(build_text_models(), make_text_samples(width, height), width, height)


def both_flops(models: tuple, samples: tuple, width: int, height: int) -> tuple[int, int]:
    """FLOPs of one forward pass of two models, which are left as they are."""
    import torch

    photo = torch.randn(1, 3, height, width)
    copies = [copy.deepcopy(model).eval().requires_grad_(False) for model in models]
    with torch.no_grad():
        return tuple(
            count_flops(lambda m=m, s=s: m._forward(photo, [s])) for m, s in zip(copies, samples, strict=True)
        )


def train_step(model: Any, photo: Any, sample: Any) -> Callable[[], None]:
    """One optimisation step on one photo: forward, losses, backward, AdamW."""
    import torch

    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        losses = model.loss(photo, [sample])
        sum(v for k, v in losses.items() if "loss" in k).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.1)
        optimizer.step()

    return step


def whole_way(
    model: Any, peer: Any, samples: tuple, width: int, height: int, device: str
) -> tuple[Callable, Callable]:
    """From a photo's file to its crops: reading, resizing, and for ProCrop encoding the query and searching
    55,000 keys; the peer reads, resizes and predicts."""
    import cv2
    import numpy as np
    import torch

    from procrop.io import read_photo
    from procrop.registry import INDEXES, RETRIEVAL_BACKBONES

    rng = np.random.default_rng(0)
    path = Path(tempfile.mkdtemp()) / "photo.jpg"
    blocks = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(blocks, (1024, 768), interpolation=cv2.INTER_CUBIC))
    encoder = RETRIEVAL_BACKBONES.build(dict(type="EfficientNetLiteRetrieval", device=device))
    index = INDEXES.build(dict(type="FaissIndex", factory="Flat", metric="cosine"))
    keys = rng.standard_normal((55_000, encoder.key_dim), dtype=np.float32)
    index.add(np.arange(len(keys)), keys / np.linalg.norm(keys, axis=1, keepdims=True))

    def predict(net: Any, sample: Any, photo: np.ndarray) -> None:
        inputs = torch.from_numpy(cv2.resize(photo, (width, height))).permute(2, 0, 1)
        data = net.data_preprocessor(dict(inputs=[inputs], data_samples=[sample]))
        net.predict(data["inputs"], data["data_samples"])

    @torch.no_grad()
    def ours() -> None:
        photo = read_photo(path)
        key = encoder.encode([photo]).keys
        index.search(key / np.linalg.norm(key), 10)
        predict(model, samples[0], photo)

    @torch.no_grad()
    def theirs() -> None:
        predict(peer, samples[1], read_photo(path))

    return ours, theirs


def forward(model: Any, photo: Any, sample: Any) -> Callable[[], None]:
    """One forward pass on one photo, for evaluation."""
    import torch

    def run() -> None:
        with torch.no_grad():
            model._forward(photo, [sample])

    return run


class Comparison:
    """Two models on the same photo, and the rows of the table that compares them.

    Args:
        models: The side that is judged, and its peer.
        samples: One sample for each.
        args: Command line.
    """

    def __init__(self, models: tuple, samples: tuple, args: argparse.Namespace) -> None:
        import torch

        self.width, self.height = (int(n) for n in args.size.split("x"))
        self.models, self.samples = models, samples
        self.pairs, self.device = args.pairs, args.device
        self.sync = torch.cuda.synchronize if args.device.startswith("cuda") else None
        self.rows: list[str] = []
        self.add_flops(*both_flops(models, samples, self.width, self.height))
        for model in models:
            model.to(self.device)
        self.samples = tuple(sample.to(self.device) for sample in samples)
        self.photo = torch.randn(1, 3, self.height, self.width, device=self.device)

    def add_flops(self, a: int, b: int) -> None:
        """The row of FLOPs."""
        print(f"FLOPs: {a / 1e9:.1f} G against {b / 1e9:.1f} G", flush=True)
        self.rows.append(
            f"| FLOPs, forward | {a / 1e9:.1f} G | {b / 1e9:.1f} G | {a / b:.3f} "
            f"| <= {TARGETS['flops']:.2f} {'met' if a / b <= TARGETS['flops'] else 'missed'} |"
        )

    def add(self, name: str, target: float, calls: tuple[Callable, Callable]) -> None:
        """Time two calls in pairs; their row."""
        from pairs import time_pairs

        print(name, flush=True)
        self.rows.append(time_pairs(*calls, self.pairs, self.sync).row(name, target))

    def add_forward(self, target: float) -> None:
        """Time forward passes."""
        sides = zip(self.models, self.samples, strict=True)
        self.add("forward", target, tuple(forward(m.eval(), self.photo, s) for m, s in sides))

    def add_training(self, target: float) -> None:
        """Time optimisation steps."""
        sides = zip(self.models, self.samples, strict=True)
        steps = tuple(train_step(m.train(), self.photo, s) for m, s in sides)
        self.add("training step", target, steps)

    def table(self, ours: str, peer: str) -> str:
        """The Markdown table."""
        head = [f"| | {ours} | {peer} | ratio: median (range) | target |", "|---|---|---|---|---|"]
        return "\n".join([*head, *self.rows]).replace("<= inf met", "none")


def retrieval_table(args: argparse.Namespace) -> str:
    """ProCrop with references against mmdet's Conditional DETR."""
    width, height = (int(n) for n in args.size.split("x"))
    compared = Comparison(build_models(), make_samples(width, height), args)
    compared.add_forward(TARGETS["forward"])
    whole = whole_way(*compared.models, compared.samples, width, height, args.device)
    compared.add("photo to crop, query encoding and search included", TARGETS["whole"], whole)
    compared.add_training(TARGETS["train"])
    return compared.table("ProCrop (K = 10, m = 64)", "Conditional DETR (mmdet)")


def text_table(args: argparse.Namespace) -> str:
    """ProCrop with references and text against ProCrop with references."""
    width, height = (int(n) for n in args.size.split("x"))
    compared = Comparison(build_text_models(), make_text_samples(width, height), args)
    compared.add_forward(TEXT_TARGET)
    compared.add_training(float("inf"))
    return compared.table(f"references and text (m' = {TEXT_SHAPE[0]})", "references (K = 10, m = 64)")


def main() -> None:
    """Measure and print."""
    args = parse_args()
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cuda = args.device.startswith("cuda")
    name = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    lines = [f"{name}, torch {torch.__version__}, photo {args.size.replace('x', ' x ')}, {args.pairs} pairs"]
    for part, make in (("retrieval", retrieval_table), ("text", text_table)):
        if args.only in (None, part):
            lines += ["", make(args)]
    text = "\n".join(lines)
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
