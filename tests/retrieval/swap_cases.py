"""What the tests of swapped parts share: the toy config with a line changed, and the way from it to crops."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from procrop.engine.config_validation import validate_config
from procrop.engine.context_shapes import fill_context_shapes
from procrop.registry import DATASETS, MODELS
from procrop.retrieval import NeighbourTable, build_gallery, items_from_folder

ROOT = Path(__file__).parents[2]
TOY = ROOT / "configs/procrop_toy.py"
LINE = '"_base_/retrieval/efficientnet_lite0.py"'
FLAT = 'dict(type="FaissIndex", factory="Flat")'


def read(toy, folder, text):
    """A config as written, pointed at the toy photos."""
    file = folder / "swapped.py"
    file.write_text(text.replace('"_base_/', f'"{ROOT}/configs/_base_/'))
    cfg = Config.fromfile(file)
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(toy)
    dataset.references.update(gallery=str(folder / "index"), table=str(folder / "table.npz"), k=3)
    return cfg


def losses_and_crops(toy, folder, cfg):
    """Gallery, neighbours, model, one batch: the losses, and the crops of the same photos."""
    validate_config(cfg)
    gallery = build_gallery(
        folder / "index", items_from_folder(toy / "gallery"), cfg.retrieval.to_dict(), toy / "gallery"
    )
    queries = [(path.stem, path.stem, path) for path in sorted((toy / "images/train").iterdir())]
    NeighbourTable.build(queries, gallery, 3).save(folder / "table.npz")
    fill_context_shapes(cfg)
    with DefaultScope.overwrite_default_scope("procrop"):
        data = DATASETS.build(cfg.train_dataloader.dataset)
        model = MODELS.build(cfg.model)
    batch = model.data_preprocessor(pseudo_collate([data[0], data[1]]), training=True)
    loss, _ = model.parse_losses(model(**batch, mode="loss"))
    loss.backward()
    weight = model.context_encoders["references"].token_proj.weight
    assert weight.shape[1] == gallery.token_shape[1] and weight.grad.abs().sum() > 0
    with torch.no_grad():
        crops = model.eval()(**batch, mode="predict")
    return float(loss.detach()), crops
