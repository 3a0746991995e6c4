"""Downloads from a server on the loopback interface, from folders and through proxies."""

import errno
import os
import threading

import numpy as np
import pytest
from file_server import model_entry, serving, sha256, write_metafile

from procrop.io.lock import FolderLock
from procrop.model_zoo import DownloadError, ModelZooError, read_zoo, resolve_checkpoint, transfer

DATA = np.random.default_rng(0).bytes(300_000)
WRONG = DATA[:-1] + bytes([DATA[-1] ^ 1])


@pytest.fixture
def server():
    with serving({"/files/tiny-1.pth": DATA}) as server:
        yield server


@pytest.fixture
def zoo(server, tmp_path):
    return read_zoo(write_metafile(tmp_path / "own.yml", model_entry(f"{server.url}/files/tiny-1.pth", DATA)))


def part_of(cache):
    return cache / "models" / "tiny" / f".tiny-1.pth.{sha256(DATA)[:8]}.part"


def names(cache):
    return sorted(path.name for path in (cache / "models" / "tiny").iterdir())


def test_weights_are_fetched_once(zoo, server, cache, capsys):
    path = resolve_checkpoint("tiny", zoo=zoo)
    assert path == cache / "models" / "tiny" / "tiny-1.pth" and path.read_bytes() == DATA
    assert resolve_checkpoint("tiny", zoo=zoo, download=False) == path
    assert server.asked == [("/files/tiny-1.pth", None)] and names(cache) == ["tiny-1.pth"]
    assert "300k/300k" in capsys.readouterr().err


def test_nothing_is_fetched_unless_it_may(zoo, server):
    with pytest.raises(ModelZooError, match="not on this machine; fetch them: procrop models download tiny"):
        resolve_checkpoint("tiny", zoo=zoo, download=False)
    assert server.asked == []


def test_a_broken_transfer_goes_on_where_it_broke_off(zoo, server, cache, capsys):
    server.cuts = [100_000, 70_000]
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=170000-"]
    assert "broke off" in capsys.readouterr().err


def test_the_next_run_goes_on_too(zoo, server, cache, monkeypatch):
    monkeypatch.setattr(transfer, "_PAUSES", ())
    server.cuts = [120_000]
    with pytest.raises(
        DownloadError, match="120,000 of 300,000 bytes are there; run it again to go on"
    ) as raised:
        resolve_checkpoint("tiny", zoo=zoo)
    assert f"{server.url}/files/tiny-1.pth" in str(raised.value)
    assert names(cache) == [part_of(cache).name]
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=120000-" and names(cache) == ["tiny-1.pth"]


def test_a_server_without_ranges_begins_anew(zoo, server):
    server.ranges, server.cuts = False, [100_000]
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-"]


def test_a_server_that_gains_nothing_is_given_up(zoo, server):
    server.ranges, server.cuts = False, [100_000] * 9
    with pytest.raises(DownloadError, match="broke off"):
        resolve_checkpoint("tiny", zoo=zoo)
    assert len(server.asked) == 4  # the first one gained something; then three pauses


def test_an_interrupted_run_keeps_what_came(zoo, server, cache, monkeypatch):
    def stop(chunks, *args):
        yield next(iter(chunks))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "byte_progress", stop)
        with pytest.raises(KeyboardInterrupt):
            resolve_checkpoint("tiny", zoo=zoo)
    assert 0 < part_of(cache).stat().st_size < len(DATA) and not (cache / "models/tiny/.lock").exists()
    kept = part_of(cache).stat().st_size
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert server.asked[-1][1] == f"bytes={kept}-"


def test_a_wrong_hash_is_told_and_removed(zoo, server, cache):
    server.files["/files/tiny-1.pth"] = WRONG
    with pytest.raises(DownloadError) as raised:
        resolve_checkpoint("tiny", zoo=zoo)
    message = str(raised.value)
    assert "tiny-1.pth" in message and sha256(WRONG) in message and sha256(DATA) in message
    assert names(cache) == []


def test_a_part_of_another_file_does_no_harm(zoo, server, cache):
    """The hash of the mixture is wrong; the run after that one is right."""
    part_of(cache).parent.mkdir(parents=True)
    part_of(cache).write_bytes(b"x" * 1000)
    with pytest.raises(DownloadError, match="it was removed"):
        resolve_checkpoint("tiny", zoo=zoo)
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA


def test_a_part_longer_than_the_file_is_dropped(zoo, server, cache):
    part_of(cache).parent.mkdir(parents=True)
    part_of(cache).write_bytes(b"x" * 300_001)
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert server.asked == [("/files/tiny-1.pth", None)]


@pytest.mark.parametrize("length", [200_000, 300_001])
def test_a_file_of_another_size_is_not_fetched(zoo, server, cache, length):
    server.files["/files/tiny-1.pth"] = b"x" * length
    with pytest.raises(DownloadError, match=f"has {length:,} bytes, but the published file has 300,000"):
        resolve_checkpoint("tiny", zoo=zoo)
    assert names(cache) == []


def test_a_server_with_less_than_what_is_here_is_asked_anew(zoo, server, cache):
    server.cuts = [250_000]
    server.statuses = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_PAUSES", ())
        with pytest.raises(DownloadError):
            resolve_checkpoint("tiny", zoo=zoo)
    server.files["/files/tiny-1.pth"] = DATA[:200_000]  # now 416
    with pytest.raises(DownloadError, match="has 200,000 bytes"):
        resolve_checkpoint("tiny", zoo=zoo)
    assert [wanted for _, wanted in server.asked] == [None, "bytes=250000-", None]


def test_a_missing_file_is_told_at_once(zoo, server, cache):
    server.files.clear()
    with pytest.raises(DownloadError, match="answers 404 .*PROCROP_MODEL_MIRROR"):
        resolve_checkpoint("tiny", zoo=zoo)
    assert len(server.asked) == 1 and names(cache) == []


def test_a_busy_server_is_asked_again(zoo, server):
    server.statuses = [503, 429]
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert len(server.asked) == 3


def test_offline_says_what_to_do(tmp_path):
    with serving({}) as gone:
        url = gone.url
    zoo = read_zoo(write_metafile(tmp_path / "own.yml", model_entry(f"{url}/tiny-1.pth", DATA)))
    with pytest.raises(DownloadError) as raised:
        resolve_checkpoint("tiny", zoo=zoo)
    for words in (
        f"{url}/tiny-1.pth: cannot be reached",
        "proxy",
        "DIR/MODEL/tiny-1.pth",
        "PROCROP_MODEL_MIRROR=DIR",
    ):
        assert words in str(raised.value)


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    server.files["/tiny-1.pth"] = DATA
    monkeypatch.setenv("http_proxy", server.url)
    entry = model_entry("http://models.invalid/tiny-1.pth", DATA)
    zoo = read_zoo(write_metafile(tmp_path / "own.yml", entry))
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert server.asked == [("http://models.invalid/tiny-1.pth", None)]


def test_a_damaged_cache_is_mended(zoo, server, cache):
    path = resolve_checkpoint("tiny", zoo=zoo)
    path.write_bytes(WRONG)
    with pytest.raises(ModelZooError, match="not on this machine"):
        resolve_checkpoint("tiny", zoo=zoo, download=False)
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert len(server.asked) == 2


# ---------------------------------------------------------------- mirrors


@pytest.fixture
def offline_zoo(tmp_path):
    return read_zoo(
        write_metafile(tmp_path / "own.yml", model_entry("https://models.invalid/x/tiny-1.pth", DATA))
    )


def test_a_mirror_on_a_server_is_asked_in_its_place(offline_zoo, server, monkeypatch):
    server.files["/mirror/tiny/tiny-1.pth"] = DATA
    monkeypatch.setenv("PROCROP_MODEL_MIRROR", f"{server.url}/mirror/")
    assert resolve_checkpoint("tiny", zoo=offline_zoo).read_bytes() == DATA
    assert server.asked == [("/mirror/tiny/tiny-1.pth", None)]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_mirror_in_a_folder_is_copied_from(offline_zoo, cache, tmp_path, monkeypatch, form):
    stored = tmp_path / "my mirror" / "tiny" / "tiny-1.pth"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(DATA)
    place = str(tmp_path / "my mirror")
    monkeypatch.setenv(
        "PROCROP_MODEL_MIRROR", form.format(place if form == "{}" else place.replace(" ", "%20"))
    )
    part_of(cache).parent.mkdir(parents=True)
    part_of(cache).write_bytes(DATA[:1000])
    path = resolve_checkpoint("tiny", zoo=offline_zoo)
    assert path.is_relative_to(cache) and path.read_bytes() == DATA
    stored.write_bytes(WRONG)
    path.unlink()
    with pytest.raises(DownloadError, match=sha256(WRONG)):
        resolve_checkpoint("tiny", zoo=offline_zoo)
    assert stored.read_bytes() == WRONG  # what is not ours is left alone


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ("nowhere", "nowhere/tiny/tiny-1.pth: cannot be read .*PROCROP_MODEL_MIRROR"),
        ("ftp://host", "PROCROP_MODEL_MIRROR='ftp://host' is none of"),
        ("file://host/x", "names another machine"),
        ("http://me:secret@host/", "PROCROP_MODEL_MIRROR: .*user and password"),
        ("http://[::1/", "PROCROP_MODEL_MIRROR: "),
    ],
)
def test_a_mirror_that_cannot_be_used_is_no_reason_to_go_elsewhere(offline_zoo, monkeypatch, mirror, message):
    monkeypatch.setenv("PROCROP_MODEL_MIRROR", mirror)
    with pytest.raises(ModelZooError, match=message) as raised:
        resolve_checkpoint("tiny", zoo=offline_zoo)
    assert "secret" not in str(raised.value)


# ---------------------------------------------------------------- several at once, and disks


def test_two_downloaders_fetch_once(zoo, server):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(resolve_checkpoint("tiny", zoo=zoo))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [path.read_bytes() == DATA for path in found] == [True] * 3
    assert len(server.asked) == 1


def test_waiting_for_another_downloader_is_told(zoo, server, cache, capsys):
    (cache / "models" / "tiny").mkdir(parents=True)
    with FolderLock(cache / "models" / "tiny" / ".lock"):
        thread = threading.Thread(target=resolve_checkpoint, args=("tiny",), kwargs=dict(zoo=zoo))
        thread.start()
        thread.join(0.6)
        assert thread.is_alive() and server.asked == []
    thread.join(20)
    assert not thread.is_alive() and len(server.asked) == 1
    assert f"tiny: pid {os.getpid()} is downloading" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_named(zoo, cache):
    cache.write_text("a file")
    with pytest.raises(DownloadError, match="cannot be written .*PROCROP_CACHE"):
        resolve_checkpoint("tiny", zoo=zoo)


def test_a_full_disk_keeps_what_came(zoo, server, cache, monkeypatch):
    def full(chunks, *args):
        yield next(iter(chunks))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "byte_progress", full)
        with pytest.raises(
            OSError, match="No space left on device: .*free some space and run the same download again"
        ):
            resolve_checkpoint("tiny", zoo=zoo)
    assert resolve_checkpoint("tiny", zoo=zoo).read_bytes() == DATA
    assert server.asked[1][1].startswith("bytes=")


def test_the_default_cache_lies_in_the_home_folder(monkeypatch, tmp_path):
    from procrop.model_zoo.locations import cache_folder

    monkeypatch.delenv("PROCROP_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "procrop"
