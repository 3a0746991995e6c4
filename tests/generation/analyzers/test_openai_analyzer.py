"""The API analyser against a local endpoint: what it asks, and what it makes of every kind of answer."""

import base64
import io
import json
import logging
import time
import traceback

import numpy as np
import pytest
from chat_server import KEY, Scripted, completion, failure, serving
from PIL import Image

from procrop.generation import CADItem, CompositionAnalysis, DropItem
from procrop.generation.chat import CostLimitReached, EndpointError
from procrop.generation.chat import endpoint as endpoint_module
from procrop.generation.steps.analyzers import OpenAIAnalyzer
from procrop.registry import GENERATION_STEPS

GOOD = {
    "caption": "A boat on a lake.",
    "within": {
        "elements": ["a boat", "its reflection"],
        "subject": "the boat",
        "subject_box": [0.2, 0.4, 0.6, 0.8],
        "composition": "centre",
    },
    "beyond": {"left": "reeds", "right": "", "top": "sky", "bottom": "water", "scene": "a mountain lake"},
}
FULL = CompositionAnalysis.from_dict(GOOD)
BAD_BOX = {**GOOD, "within": {**GOOD["within"], "subject_box": [20, 40, 600, 800]}}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """A key, no proxy, and no real waiting between two tries."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(endpoint_module, "_FIRST_WAIT", 0.01)


@pytest.fixture
def analyse(tmp_path):
    """Run the analyser on a photo against a server."""

    def run(server, number=0, **settings):
        step = OpenAIAnalyzer(tmp_path / "answers", base_url=server.url, **settings)
        return step.run(item(number), np.random.default_rng(0)).analysis

    return run


def item(number=0, size=(60, 90)):
    photo = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    return CADItem(f"p{number}", 0, f"p{number}.jpg", photo=photo)


def test_a_good_answer_becomes_the_analysis(analyse):
    with serving(completion(GOOD)) as server:
        assert analyse(server) == FULL
    (asked,) = server.asked
    assert asked["path"] == "/v1/chat/completions" and asked["key"] == f"Bearer {KEY}"
    assert asked["body"]["model"].startswith("gpt-4") and asked["body"]["temperature"] == 0
    schema = asked["body"]["response_format"]["json_schema"]
    assert schema["strict"] and set(schema["schema"]["properties"]) == {"caption", "within", "beyond"}


def test_the_photo_is_sent_small_and_in_its_shape(tmp_path):
    photo = np.zeros((300, 600, 3), np.uint8)
    photo[:, :300] = (250, 20, 20)
    with serving(completion(GOOD)) as server:
        step = OpenAIAnalyzer(tmp_path, base_url=server.url, image_side=200)
        step.run(CADItem("a", 0, "a.jpg", photo=photo), np.random.default_rng(0))
    content = server.asked[0]["body"]["messages"][1]["content"]
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert seen.shape == (100, 200, 3) and abs(seen[50, 20].astype(int) - (250, 20, 20)).max() < 12


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        ("caption", {"caption"}),
        ("within", {"caption", "within"}),
        ("beyond", {"caption", "beyond"}),
        ("both", {"caption", "within", "beyond"}),
    ],
)
def test_a_mode_asks_for_its_parts_alone(analyse, mode, parts):
    with serving(completion({part: GOOD[part] for part in parts})) as server:
        found = analyse(server, mode=mode)
    blank = CompositionAnalysis("")
    for part in ("caption", "within", "beyond"):
        assert getattr(found, part) == getattr(FULL if part in parts else blank, part)
    body = server.asked[0]["body"]
    assert set(body["response_format"]["json_schema"]["schema"]["required"]) == parts
    text = body["messages"][1]["content"][0]["text"]
    assert ("subject_box" in text) == ("within" in parts) and ("scene" in text) == ("beyond" in parts)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (completion("This is a boat."), "no JSON object"),
        (completion('{"caption": "A boat'), "no valid JSON"),
        (completion(json.dumps(GOOD)[:-30], finish="length"), "raise max_tokens"),
        (completion({k: v for k, v in GOOD.items() if k != "beyond"}), "missing ['beyond']"),
        (completion({**GOOD, "mood": "calm"}), "unknown ['mood']"),
        (completion(BAD_BOX), "within.subject_box"),
        (completion({**GOOD, "caption": " "}), "caption is empty"),
        (completion(json.dumps(GOOD).replace("reeds", "\\ud800")), "no valid JSON"),
        (completion(None), "no JSON object"),
    ],
)
def test_an_invalid_answer_goes_back_with_what_is_wrong(analyse, first, told):
    with serving(first, completion(GOOD)) as server:
        assert analyse(server) == FULL
    back = server.asked[1]["body"]["messages"]
    assert [m["role"] for m in back] == ["system", "user", "assistant", "user"] and told in back[3]["content"]


def test_invalid_answers_end_in_a_dropped_photo_until_more_are_allowed(analyse):
    with serving(completion(BAD_BOX)) as server:
        for _ in range(2):  # the second time nothing is asked, nor paid for
            with pytest.raises(DropItem, match="no valid answer of .* in 2: within.subject_box") as dropped:
                analyse(server, max_answers=2)
            assert len(server.asked) == 2 and dropped.value.again
        server.script = [completion(GOOD)]
        assert analyse(server, max_answers=3) == FULL and len(server.asked) == 3


@pytest.mark.parametrize(
    "wrapped", ["```json\n{}\n```", "Here it is:\n{}", "{}\nIs there anything else?", "\n  {}"]
)
def test_json_within_text_is_found(analyse, wrapped):
    with serving(completion(wrapped.replace("{}", json.dumps(GOOD, indent=1)))) as server:
        assert analyse(server) == FULL


def test_an_endpoint_without_json_schema_is_asked_in_words(analyse, tmp_path):
    refused = failure(400, "unsupported", "response_format of type json_schema is not supported")
    with serving(refused, completion(GOOD)) as server:
        step = OpenAIAnalyzer(tmp_path / "a", base_url=server.url)
        for number in range(2):
            assert step.run(item(number), np.random.default_rng(0)).analysis == FULL
        assert ["response_format" in a["body"] for a in server.asked] == [True, False, False]
        assert '"additionalProperties"' in server.asked[1]["body"]["messages"][1]["content"][0]["text"]
        server.script = [refused]
        with pytest.raises(EndpointError, match="not supported"):
            analyse(server, 3, structured=True)


@pytest.mark.parametrize(
    "answer",
    [
        completion(None, refusal="I can't help with this photo."),
        completion("I\u2019m sorry, but I can't help with this photo."),
        completion("", finish="content_filter"),
        failure(400, "content_policy_violation", "Your input was rejected."),
    ],
)
def test_a_refusal_drops_the_photo_at_once_and_is_remembered(analyse, answer):
    with serving(answer) as server:
        for _ in range(2):
            with pytest.raises(DropItem, match="refuses") as dropped:
                analyse(server)
            assert len(server.asked) == 1 and dropped.value.again


@pytest.mark.parametrize(
    "first",
    [
        failure(500, "", "The server had an error"),
        failure(503),
        Scripted(b"<html>Bad gateway</html>", 502),
        failure(429, "rate_limit_exceeded", "slow down"),
        Scripted(b"<html>Welcome</html>"),
        Scripted({"choices": []}),
        Scripted(b'{"choices": [', claimed_length=400),
        Scripted({"late": True}, delay=0.5),
    ],
)
def test_what_passes_by_itself_is_tried_again(analyse, first):
    with serving(first, completion(GOOD)) as server:
        assert analyse(server, timeout=0.25) == FULL
    assert len(server.asked) == 2 and server.asked[0]["body"] == server.asked[1]["body"]


def test_a_lasting_failure_ends_the_run_and_not_the_photo(analyse):
    with serving(failure(500, "", "The server had an error")) as server:
        with pytest.raises(EndpointError, match=r"status 500 \(The server had an error\), 3 tries"):
            analyse(server, max_attempts=3)
        assert len(server.asked) == 3
    with pytest.raises(EndpointError, match="cannot be reached"):
        analyse(server, max_attempts=2)


def test_a_timeout_names_the_limit(analyse):
    with serving(Scripted({}, delay=0.6)) as server:
        with pytest.raises(EndpointError, match="no answer within 0.1 seconds, 2 tries"):
            analyse(server, timeout=0.1, max_attempts=2)


def test_retry_after_is_waited_for(analyse):
    busy = failure(429, "rate_limit_exceeded", "slow down", headers={"Retry-After": "0.4"})
    with serving(busy, completion(GOOD)) as server:
        assert analyse(server) == FULL
    assert 0.4 <= server.asked[1]["time"] - server.asked[0]["time"] < 2
    with serving(failure(429, headers={"Retry-After": "3600"})) as server:
        with pytest.raises(EndpointError, match="asks to wait 3600 seconds"):
            analyse(server, 1)
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_pass_is_not_tried_again(analyse, status):
    with serving(failure(status, "wrong", f"Incorrect API key provided: {KEY}")) as server:
        with pytest.raises(EndpointError, match=f"status {status}"):
            analyse(server)
        assert len(server.asked) == 1


def test_a_wrong_key_is_named_by_its_variable(analyse, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-another")
    with serving(failure(401, "invalid_api_key", "Incorrect API key provided: sk-an**ther")) as server:
        with pytest.raises(EndpointError, match="refuses the key in MY_KEY") as caught:
            analyse(server, key_variable="MY_KEY")
        assert "**ther" not in str(caught.value)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ValueError, match="MY_KEY holds no key: set it"):
        analyse(server, key_variable="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sk-line\r\nX-Evil: 1")
    with pytest.raises(ValueError, match="no key has") as caught:
        analyse(server, key_variable="MY_KEY")
    assert "sk-line" not in str(caught.value)


def test_an_empty_account_is_not_waited_for(analyse):
    with serving(failure(429, "insufficient_quota", "You exceeded your current quota")) as server:
        with pytest.raises(EndpointError, match="current quota"):
            analyse(server)
        assert len(server.asked) == 1


def test_a_redirect_does_not_carry_the_key_away(analyse):
    with serving(completion(GOOD)) as elsewhere:
        moved = Scripted(b"", 302, {"Location": elsewhere.url + "/chat/completions"})
        with serving(moved) as server, pytest.raises(EndpointError, match="has moved"):
            analyse(server)
        assert elsewhere.asked == []


def test_an_endpoint_without_keys(analyse, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(completion(GOOD)) as server:
        assert analyse(server, key_variable=None) == FULL
    assert server.asked[0]["key"] is None


def test_an_answer_in_the_cache_needs_no_request_and_no_key(analyse, monkeypatch):
    with serving(completion(GOOD)) as server:
        analyse(server)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert analyse(server) == FULL  # the server is gone
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"mode": "both", "image_side": 64}, {"options": {}}, {"number": 7}]
)
def test_the_cache_knows_what_an_answer_depends_on(analyse, change):
    with serving(completion(GOOD)) as server:
        analyse(server)
        analyse(server, **change)
    assert len(server.asked) == 2


def test_a_damaged_answer_is_named(analyse, tmp_path):
    with serving(completion(GOOD)) as server:
        analyse(server)
    (path,) = (tmp_path / "answers").rglob("*.json")
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=f"{path.name}.*delete it"):
        analyse(server)


def test_the_cost_limit_stops_before_it_is_passed(tmp_path):
    # each answer costs 1000 * 2 / 1e6 + 100 * 10 / 1e6 = 0.003
    settings = {"prices": (2.0, 10.0), "cost_limit": 0.01}
    with serving(completion(GOOD)) as server:
        step = OpenAIAnalyzer(tmp_path, base_url=server.url, **settings)
        rng = np.random.default_rng(0)
        for number in range(3):
            step.run(item(number), rng)
        with pytest.raises(CostLimitReached, match=r"0\.0090 are spent on 3 requests \(3000 prompt and 300"):
            step.run(item(3), rng)
        assert len(server.asked) == 3
        # a new process counts what the cache holds, and what is there is still given
        again = OpenAIAnalyzer(tmp_path, base_url=server.url, prices=(2.0, 10.0), cost_limit=0.009)
        assert again.run(item(1), rng).analysis == FULL
        with pytest.raises(CostLimitReached):
            again.run(item(3), rng)
        more = OpenAIAnalyzer(tmp_path, base_url=server.url, prices=(2.0, 10.0), cost_limit=0.02)
        assert more.run(item(3), rng).analysis == FULL
        assert more.spent()[1] == pytest.approx(0.012)


def test_invalid_answers_count_towards_the_cost(tmp_path):
    with serving(completion(BAD_BOX)) as server:
        step = OpenAIAnalyzer(tmp_path, base_url=server.url, prices=(2.0, 10.0), cost_limit=0.007)
        with pytest.raises(CostLimitReached, match=r"0\.0060 are spent on 2"):
            step.run(item(), np.random.default_rng(0))


def test_a_limit_needs_usage_and_keeps_the_answer(analyse):
    with serving(completion(GOOD, usage=None)) as server:
        with pytest.raises(EndpointError, match="does not say what an answer used"):
            analyse(server, prices=(2.0, 10.0), cost_limit=1.0)
        assert analyse(server) == FULL
    assert len(server.asked) == 1


def test_requests_are_spread_over_the_minute(tmp_path, monkeypatch):
    # when they start, not when a busy machine lets them arrive
    times, real = [], endpoint_module.post_json
    monkeypatch.setattr(endpoint_module, "post_json", lambda *a: times.append(time.monotonic()) or real(*a))
    with serving(completion(GOOD)) as server:
        step = OpenAIAnalyzer(tmp_path, base_url=server.url, requests_per_minute=300)
        for number in range(3):
            step.run(item(number), np.random.default_rng(0))
    assert len(times) == 3 and times[2] - times[0] >= 0.39


def test_the_key_is_nowhere(tmp_path, caplog, monkeypatch):
    """Whatever the server does with it: in no file, message, log, fingerprint or attribute."""
    echo = failure(500, "", f"bad header Authorization: Bearer {KEY}")
    echoing = completion({**GOOD, "caption": f"A key {KEY} on a table."})
    shown = []
    with caplog.at_level(logging.DEBUG), serving(echo, echoing) as server:
        step = OpenAIAnalyzer(tmp_path / "a", base_url=server.url, max_attempts=2)
        shown += [step.run(item(), np.random.default_rng(0)).analysis.caption]
        for script in (
            echo,
            failure(401, "", KEY),
            failure(418, "", f"I hold {KEY}"),
            Scripted(KEY.encode(), 400),
        ):
            server.script = [script]
            try:
                step.run(item(1), np.random.default_rng(0))
            except EndpointError as error:
                shown += [str(error), repr(vars(error)), "".join(traceback.format_exception(error))]
        shown += [repr(step), repr(vars(step)), repr(vars(step._endpoint)), step.fingerprint, caplog.text]
    assert len(caplog.records) >= 2
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1 and all(KEY.encode() not in data for data in files)
    secret = KEY.removeprefix("sk-")
    assert not any(secret in text for text in shown), shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "api.openai.com"}, "base_url must be like"),
        ({"base_url": "https://user:pw@host/v1"}, "no user, password or query"),
        ({"base_url": "https://host/v1?key=1"}, "no user, password or query"),
        ({"base_url": "http://models.example.com/v1"}, "unencrypted"),
        ({"mode": "all"}, "prompt mode must be one of"),
        ({"options": {"messages": []}}, "must not hold"),
        ({"cost_limit": 5.0}, "needs prices"),
        ({"prices": (1.0,)}, "two numbers"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
    ],
)
def test_settings_are_checked(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        OpenAIAnalyzer(tmp_path, **settings)


def test_the_fingerprint_follows_what_is_asked_and_of_whom(tmp_path):
    def fingerprint(**settings):
        config = dict(type="OpenAIAnalyzer", cache=str(tmp_path), **settings)
        return GENERATION_STEPS.build(config).fingerprint

    base = fingerprint()
    assert base == fingerprint(requests_per_minute=5, timeout=3, base_url="https://example.com/v1")
    others = [fingerprint(model="other"), fingerprint(mode="caption"), fingerprint(image_side=512)]
    assert len({base, *others}) == 4
