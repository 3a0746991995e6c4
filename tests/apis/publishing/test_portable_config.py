"""What is left of a config when the machine is taken out."""

import pytest

from procrop.apis.publishing.portable_config import places_in, portable, portable_settings


def test_places_of_the_machine_go_and_all_else_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = dict(
        work_dir="work_dirs/x",
        load_from=None,
        model=dict(type="A", weights="torchvision://resnet50", sizes=(1, 2.5), flag=True),
        data=[dict(root="/mnt/big/photos"), dict(root=f"{tmp_path}/data/lite"), dict(root="data/lite")],
        home="~/photos",
    )
    assert portable_settings(settings) == dict(
        model=dict(type="A", weights="torchvision://resnet50", sizes=(1, 2.5), flag=True),
        data=[dict(root="photos"), dict(root="data/lite"), dict(root="data/lite")],
        home="photos",
    )
    assert portable(None) is None


@pytest.mark.parametrize(
    "text", ["root='/data/x/y'", '"/opt/photos"', "see ~/photos", "in C:\\photos", "/srv/a"]
)
def test_places_are_found(text):
    assert places_in(text)


@pytest.mark.parametrize(
    "text", ["https://example.org/a/b", "data/lite/gallery", "1/2", "</a> <b/>", "a / b", "the host"]
)
def test_what_is_no_place_is_passed_over(text):
    assert places_in(text, ["host", "root"]) == []


def test_names_of_the_machine_are_found_as_words():
    assert places_in("made on bigbox by x", ["bigbox"]) == ["bigbox"] and not places_in(
        "bigboxes", ["bigbox"]
    )
