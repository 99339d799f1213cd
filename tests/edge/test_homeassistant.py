"""What Home Assistant is told, and how the broker's address is read."""

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_fer.errors import InputError
from edge_fer.labels import FER_LABELS
from edge_fer.sinks.broker import PASSWORD_VARIABLE, Broker, parse_broker
from edge_fer.sinks.homeassistant import NOBODY, discovery, node_id


@pytest.fixture(autouse=True)
def _no_password(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://pi", Broker("pi", 1883, prefix="edge-fer/here")),
        ("mqtts://pi/", Broker("pi", 8883, tls=True, prefix="edge-fer/here")),
        ("mqtt://a@pi:99/x", Broker("pi", 99, user="a", prefix="x")),
        ("mqtt://a:b%2Fc%40@[::1]:5/x/y/", Broker("::1", 5, False, "a", "b/c@", "x/y")),
        ("MQTT://192.168.1.2/k%C3%BCche", Broker("192.168.1.2", 1883, prefix="küche")),
        ("mqtt://a:@pi/x", Broker("pi", 1883, user="a", password="", prefix="x")),
    ],
)
def test_addresses_are_read(url, broker):
    assert parse_broker(url, "here") == broker


@pytest.mark.parametrize(
    ("broker", "text"),
    [(Broker("pi", 1883), "pi:1883"), (Broker("::1", 5), "[::1]:5")],
)
def test_a_broker_is_named_without_its_secrets(broker, text):
    assert str(broker) == text
    assert "secret" not in repr(Broker("pi", 1, user="a", password="secret"))


@pytest.mark.parametrize(
    "url",
    [
        "", "pi", "http://pi", "mqtt://", "mqtt:///x", "mqtt://pi:0", "mqtt://pi:65536",
        "mqtt://pi:x", "mqtt://[::1", "mqtt://:secret@pi", "mqtt://pi/a+b", "mqtt://pi/a%23b",
        "mqtt://pi/a#b", "mqtt://pi/a?b", "mqtt://pi/%00", "mqtt://pi/%FF", "mqtt://p i",
        f"mqtt://pi/{'x' * 201}", f"mqtt://{'x' * 70}", "mqtt://pi/\udcff", "mqtt://u:%FF@pi",
        "mqtt://u:se/cret@pi", "mqtt://u:se#cret@pi", "mqtt://pi\\x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="--mqtt") as caught:
        parse_broker(url, "here")
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("hostname", "prefix"),
    [("pi-5.local", "edge-fer/pi-5.local"), ("a/b+#", "edge-fer/a-b--"), ("", "edge-fer/device")],
)
def test_the_prefix_is_the_machine_s_name(hostname, prefix):
    assert parse_broker("mqtt://pi", hostname).prefix == prefix


def test_the_password_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "p@ss/word")
    assert parse_broker("mqtt://a@pi").password == "p@ss/word"
    assert parse_broker("mqtt://a:other@pi").password == "other"
    assert parse_broker("mqtt://pi").password is None


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
printable = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="+#/"), min_size=1, max_size=30
)


@given(words.filter(bool), words | st.none(), printable, st.integers(1, 65535), st.booleans())
def test_whatever_is_encoded_comes_back(user, password, prefix, port, tls):
    secret = "" if password is None else ":" + quote(password, safe="")
    scheme = "mqtts" if tls else "mqtt"
    url = f"{scheme}://{quote(user, safe='')}{secret}@host:{port}/{quote(prefix)}/a"
    assert parse_broker(url) == Broker("host", port, tls, user, password, f"{prefix}/a")


@given(st.text(max_size=40).map("mqtt://{}".format) | st.text(max_size=40))
def test_any_text_is_an_address_or_refused(url):
    try:
        broker = parse_broker(url, "here")
    except InputError:
        return
    assert broker.host
    assert 0 < broker.port < 65536
    assert not set(broker.topic("state")) & set("+#\0")


@given(words.filter(lambda text: len(text) > 4))
def test_no_refusal_tells_the_password(password):
    assume(password not in "--mqtt: the host or port cannot be read; there is no address")
    for url in (
        f"mqtt://user:{password}@",
        f"mqtt://user:{password}@h:x",
        f"mqtt://u:{password}@h",
    ):
        try:
            parse_broker(url, "here")
        except InputError as e:
            assert password not in str(e)  # noqa: PT017
            assert e.__cause__ is None  # noqa: PT017


def _configs(**options):
    return discovery("edge-fer/pi", FER_LABELS, version="1.2", **options)


def test_every_sensor_is_described():
    configs = _configs(board="Raspberry Pi 5", temperature=True)
    assert list(configs) == [
        f"homeassistant/sensor/edge-fer_pi/{name}/config"
        for name in ("faces", "emotion", "confidence", "fps", "temperature")
    ]
    for config in configs.values():
        assert json.loads(json.dumps(config)) == config
        assert config["availability_topic"] == "edge-fer/pi/availability"
        assert config["state_topic"] in ("edge-fer/pi/state", "edge-fer/pi/status")
        assert config["device"]["identifiers"] == ["edge-fer_pi"]
        assert config["device"]["model"] == "Raspberry Pi 5"
        assert config["origin"]["name"] == "edge-fer"
        assert re.fullmatch(r"\{\{ .* \}\}", config["value_template"])
    assert len({config["unique_id"] for config in configs.values()}) == 5
    temperature = configs["homeassistant/sensor/edge-fer_pi/temperature/config"]
    assert (temperature["device_class"], temperature["unit_of_measurement"]) == (
        "temperature",
        "°C",
    )


def test_a_board_without_a_thermometer_has_no_such_sensor():
    assert not [topic for topic in _configs() if "temperature" in topic]


def test_there_is_a_person_where_people_have_names():
    assert not [topic for topic in _configs() if "person" in topic]
    config = _configs(people=True)["homeassistant/sensor/edge-fer_pi/person/config"]
    assert f"faces[0].person if value_json.faces else '{NOBODY}'" in config["value_template"]


def test_the_emotion_is_one_of_the_labels_or_nobody():
    config = _configs()["homeassistant/sensor/edge-fer_pi/emotion/config"]
    assert config["device_class"] == "enum"
    assert config["options"] == [*FER_LABELS, NOBODY]
    # An enum has neither unit nor state class: Home Assistant refuses one that has.
    assert not {"unit_of_measurement", "state_class"} & set(config)


@pytest.mark.parametrize(("every", "seconds"), [(0.1, 30), (1, 30), (60, 600)])
def test_states_that_stay_away_make_the_value_unknown(every, seconds):
    expires = {c["expire_after"] for c in _configs(every=every).values() if "expire_after" in c}
    assert expires == {seconds}


@given(words, words)
def test_a_device_has_a_name_that_home_assistant_takes(one, other):
    assert re.fullmatch(r"[a-zA-Z0-9_-]*", node_id(one))
    if one.replace("/", "_") != other.replace("/", "_"):
        assert node_id(one) != node_id(other)
