"""The professional photo that a sample of CAD was made from is never among its references."""

import shutil

import numpy as np
from PIL import Image

from procrop.datasets.cad import CADDataset
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.retrieval import NeighbourTable, build_gallery, items_from_folder


def write_expansions(root, photos):
    """Two expansions of each gallery photo: the photo on a grey canvas, so it is its own nearest neighbour."""
    records = []
    (root / "images").mkdir(parents=True)
    for path in sorted(photos.iterdir()):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        height, width = pixels.shape[:2]
        for n, margin in enumerate((2, 5)):
            canvas = np.full((height + 2 * margin, width + 2 * margin, 3), 128, np.uint8)
            canvas[margin : margin + height, margin : margin + width] = pixels
            name = f"{path.stem}_{n}"
            Image.fromarray(canvas).save(root / f"images/{name}.png")
            box = [margin, margin, margin + width, margin + height]
            records.append(
                CropRecord(name, f"{name}.png", [box], [5.0], source_id=path.stem, extra={"split": "train"})
            )
    get_format("cad").save(CropSet("cad", records, root / "images", Problems()), root, None, Problems())


def test_a_copy_of_the_source_is_left_out(tmp_path, photos, retrieval):
    """A photographer's folder holds some photos twice; the copy shows the label as well as the source does."""
    write_expansions(tmp_path / "cad", photos)
    (photos / "best").mkdir()
    for number in (3, 7):
        shutil.copy(photos / f"p{number:03d}.png", photos / "best" / f"portfolio{number}.png")
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    queries = [(f"p{n:03d}_0", f"p{n:03d}", tmp_path / f"cad/images/p{n:03d}_0.png") for n in (3, 5, 7)]
    table = NeighbourTable.build(queries, gallery, 20)
    found = {name: [gallery.source_ids[i] for i in table.lookup(name, 20)[0]] for name, _, _ in queries}
    assert "best/portfolio3" not in found["p003_0"] and "best/portfolio7" in found["p003_0"]
    assert "best/portfolio7" not in found["p007_0"] and "best/portfolio3" in found["p007_0"]
    assert [len(found[name]) for name, _, _ in queries] == [20, 20, 20] and "p005" not in found["p005_0"]


def test_the_source_is_left_out(tmp_path, photos, retrieval):
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    write_expansions(tmp_path / "cad", photos)
    data = CADDataset(data_root=str(tmp_path / "cad"), split="train", pipeline=[])
    queries = [
        (info["img_id"], info["source_id"], info["img_path"])
        for info in (data.get_data_info(i) for i in range(len(data)))
    ]
    assert len(queries) == 40
    table = NeighbourTable.build(queries, gallery, 19)
    for name, source, _ in queries:
        ids, _ = table.lookup(name, 19)
        found = {gallery.source_ids[i] for i in ids}
        assert len(ids) == 19 and source not in found and len(found) == 19
    # and it would be there, first of all, if the source were not known
    blind = NeighbourTable.build([(name, name, path) for name, _, path in queries], gallery, 1)
    first = [gallery.source_ids[blind.lookup(name, 1)[0][0]] == source for name, source, _ in queries]
    assert np.mean(first) > 0.8
