"""What the command says before there is a page."""

import html
import re

import pytest
from demo_parts import CONFIGS, write_photo
from tiny_cropper import write_checkpoint

from procrop.apis.cli import main
from procrop.apis.demo_command import is_loopback, read_galleries
from procrop.demo import DemoSession
from procrop.demo.reference_cards import reference_section


def test_galleries_have_names():
    given = ["portraits=a/b", "sea=c=d", "galleries/own/"]
    assert {name: str(folder) for name, folder in read_galleries(given).items()} == {
        "portraits": "a/b",
        "sea": "c=d",
        "own": "galleries/own",
    }
    with pytest.raises(ValueError, match="two galleries of the name 'a'"):
        read_galleries(["a=x", "a=y"])
    for text in ("=x", "a=", " =x"):
        with pytest.raises(ValueError, match="write NAME=DIR"):
            read_galleries([text])


@pytest.fixture
def served(monkeypatch):
    """What the page would have been started with."""
    import procrop.demo.server

    started = []
    monkeypatch.setattr(
        procrop.demo.server, "serve", lambda store, listener: started.append((store, listener))
    )
    monkeypatch.delenv("PROCROP_CHECKPOINT", raising=False)
    return started


def run(*words):
    return main(["demo", *map(str, words), "--port", "0", "--device", "cpu"])


def test_it_listens_on_this_machine_alone_unless_told_otherwise(served, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PROCROP_CHECKPOINT", str(write_checkpoint(tmp_path)))
    assert run("--max-photos", 7, "--max-upload-mb", 5, "--max-pixels", 1000, "--memory-mb", 9) == 0
    (store, listener), said = served[0], capsys.readouterr()
    assert listener.getsockname()[0] == "127.0.0.1" and said.err == ""
    assert re.fullmatch(r"the page is at http://127\.0\.0\.1:\d+ \(Ctrl-C ends it\)\n", said.out)
    limits = store.limits
    assert (limits.photos, limits.upload_mb, limits.pixels, limits.memory_mb) == (7, 5, 1000, 9)
    assert not store.root.exists()  # it is closed at the end, however that comes
    listener.close()
    assert run("--host", "0.0.0.0") == 0
    assert "warning: --host 0.0.0.0: everybody who reaches this machine" in capsys.readouterr().err
    served[1][1].close()


def test_without_a_checkpoint_it_shows_the_model_of_the_package_and_whose_its_references_are(
    served, lite, tmp_path
):
    assert run() == 0
    store, listener = served[0]
    listener.close()
    (tmp_path / "session").mkdir()
    session = DemoSession(store.cropper, tmp_path / "session")
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    references = session.view().references
    cards = reference_section(session, session.view())
    assert len(references) >= 3 and all(reference.credit for reference in references)
    assert all(f'<p class="pc-grey pc-credit">{html.escape(ref.credit)}</p>' in cards for ref in references)


def test_what_is_this_machine():
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org")))


def test_galleries_are_opened_and_the_first_one_is_taken(served, demo_model, gallery, second_gallery):
    assert (
        run(
            "--checkpoint", demo_model, "--gallery", f"b={second_gallery}", "--gallery", f"a={gallery.folder}"
        )
        == 0
    )
    store = served[0][0]
    assert store.cropper.gallery_names == ("b", "a")


def test_a_gallery_of_another_encoder_is_refused_with_the_command_that_makes_one(
    served, demo_model, gallery, tmp_path, capsys
):
    from mmengine.config import Config

    from procrop.retrieval import GalleryItem, build_gallery

    paths = [gallery.photo_path(number) for number in range(3)]
    retrieval = Config.fromfile(CONFIGS / "_base_/retrieval/efficientnet_lite0.py").retrieval.to_dict()
    retrieval["backbone"]["image_size"] = 96
    other = tmp_path / "other"
    build_gallery(
        other, [GalleryItem(path, source_id=path.name) for path in paths], retrieval, paths[0].parent
    )
    arguments = ("--gallery", f"good={gallery.folder}", "--gallery", f"bad={other}")
    assert run("--checkpoint", demo_model, *arguments) == 2
    said = capsys.readouterr().err
    assert (
        "made by another encoder" in said and f"procrop gallery build {other} --photos" in said and not served
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--checkpoint", "MODEL", "--gallery", "a=."), "this model works without references"),
        (("--checkpoint", "MODEL", "--gallery", "a=no/where"), "no/where: there is no such gallery"),
        (("--checkpoint", "MODEL", "--max-photos", "0"), "the limit photos must be above 0, got 0"),
        (("--checkpoint", "gone.pth"), "gone.pth"),
        (("--checkpoint", "MODEL", "--host", "192.0.2.1"), "192.0.2.1:0 cannot be listened on"),
    ],
)
def test_what_cannot_be_carried_out_is_one_line(served, tmp_path, capsys, words, said):
    path = write_checkpoint(tmp_path)
    assert run(*(path if word == "MODEL" else word for word in words)) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not served


def test_without_gradio_the_remedy_is_named(served, tmp_path, capsys, monkeypatch):
    import importlib.util

    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "gradio" else whole(name, *rest)
    )
    assert run("--checkpoint", write_checkpoint(tmp_path)) == 2
    assert "pip install 'procrop[demo]'" in capsys.readouterr().err and not served
