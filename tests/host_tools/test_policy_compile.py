# SPDX-License-Identifier: MIT
"""host_tools/provisioning/compile_policy.py and kit.py: what is taken, and that each mistake is
told in one line that names the file, the place and the mend."""

import copy
import json

import cbor2
import pytest

from host_tools.errors import ToolError
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.kit import kit_names, load_board, load_kit
from node.pipeline.reading import HEALTH, HEALTH_INTERVAL_S
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref

BOARD = "esp32-devkitc"
GOOD = """\
id = "air-street"
version = 3
kit = "mine"

[[stream]]
number = 7
quantity = "temperature_mc"
statistics = ["mean", "max"]
window_s = 300
resolution = 100
range = [-40_000, 60_000]
why = "Find heat islands."

[[stream]]
number = 2
quantity = "pressure_pa"
statistics = ["last"]
window_s = 900
resolution = 10
range = [80_000, 110_000]
why = "Weather."
"""
KIT = {
    "kit": "mine",
    "title": "My own",
    "policy": "policy.toml",
    "outbox_kib": 256,
    "sensors": [
        {"part": "bme280", "bus": "i2c0", "interval_s": 60, "options": {"address": 119},
         "quantities": ["temperature_mc", "pressure_pa"]},
        {"part": "s0_meter", "bus": "count0", "interval_s": 15, "quantities": ["energy_mwh"]},
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.toml").write_text(GOOD)
    (tmp_path / "kit.json").write_text(json.dumps(KIT))
    return tmp_path


def compiled(folder, text=GOOD, **options):
    path = folder / "policy.toml"
    path.write_text(text)
    return compile_policy(path, **options)


def complaint(call, *args, **options):
    """Message and hint, each of one line."""
    with pytest.raises(ToolError) as caught:
        call(*args, **options)
    assert caught.value.message and caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}"


# policies


def test_the_compiled_form(folder):
    data = compiled(folder)
    assert data == ref.dumps(["lp1 policy", "air-street", 3, "mine", [
        [2, "pressure_pa", 900, ["last"], 10, 80_000, 110_000, "Weather."],
        [7, "temperature_mc", 300, ["mean", "max"], 100, -40_000, 60_000, "Find heat islands."],
    ]])  # fmt: skip
    assert [stream.number for stream in Policy(data).streams] == [2, 7]


@pytest.mark.parametrize("name", kit_names())
def test_the_kits_that_come_along(name):
    kit = load_kit(name, load_board(BOARD))
    assert cbor2.loads(compile_policy(kit.policy_path, kit))[3] == name


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "air-street"', "", "has no id"),
        ('id = "air-street"', 'id = ""', "empty id"),
        ("version = 3", "version = 0", "version = 0 | version is 1 to"),
        ("version = 3", "version = true", "version = true | version is a whole number"),
        ("version = 3", "version = 3.0", "version is a whole number"),
        ("version = 3", 'version = "3"', "version is a whole number"),
        ("version = 3", "versoin = 3", "'versoin', which means nothing here | did you mean v"),
        ("number = 7", "number = 0", "stream 1 has number = 0 | number is 1 to 255"),
        ("number = 7", "number = 256", "number is 1 to 255"),
        ("number = 7", "number = true", "number is a whole number"),
        ("number = 7", "number = 2", "stream 2 has number 2, which is taken"),
        ("number = 7\n", "", "stream 1 has no number"),
        ('"temperature_mc"', '"temperature_c"', "(number 7) has quantity 'temperature_c'"),
        ('"temperature_mc"', '"temperature_c"', "did you mean temperature_mc?"),
        ('"temperature_mc"', "7", "quantity is text"),
        ('["mean", "max"]', '["mean", "median"]', "'median', which is not known | did you mean"),
        ('["mean", "max"]', '["mean", "mean"]', "a statistic twice"),
        ('["mean", "max"]', "[]", "empty statistics"),
        ('["mean", "max"]', '"mean"', "statistics is a list"),
        ('["mean", "max"]', "[1]", "each of statistics is text"),
        ("window_s = 300", "window_s = 7", "does not divide a day | take one of 60, 300"),
        ("window_s = 300", "window_s = 0", "does not divide a day"),
        ("window_s = 300", "window_s = -300", "does not divide a day"),
        ("window_s = 300", "window_s = 172_800", "does not divide a day"),
        ("window_s = 300", "window_s = false", "window_s is a whole number"),
        ("resolution = 100", "resolution = 0", "resolution = 0 | resolution is 1 to"),
        ("resolution = 100", "resolution = 0.5", "resolution is a whole number"),
        ("[-40_000, 60_000]", "[60_000, -40_000]", "a range is [lowest, highest]"),
        ("[-40_000, 60_000]", "[-40_000]", "a range is [lowest, highest]"),
        ("[-40_000, 60_000]", "[-40_001, 60_000]", "temperature_mc can be -40000 to 85000"),
        ("[-40_000, 60_000]", "[0, 85_001]", "more than physics allows"),
        ("[-40_000, 60_000]", "[0, true]", "each of range is a whole number"),
        ('why = "Find heat islands."\n', "", "has no why"),
        ('"Find heat islands."', '"  "', "say to the public what it is for"),
        ('why = "Weather."', 'why = "Weather."\nname = "x"', "stream 2 has 'name'"),
        ("[[stream]]", "[[streem]]", "'streem', which means nothing here | did you mean stream?"),
        ("kit = ", "kit = =", "must be TOML"),
        ("kit = ", "kit = =", "line 3"),
    ],
)
def test_each_mistake_is_told(folder, old, new, words):
    assert old in GOOD
    text = GOOD.replace(old, new, -1 if old == "[[stream]]" else 1)
    told = complaint(compiled, folder, text)
    assert words in told
    assert str(folder / "policy.toml") in told


def test_no_policy_there(folder):
    assert "No such file" in complaint(compile_policy, folder / "no.toml")
    (folder / "latin.toml").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in complaint(compile_policy, folder / "latin.toml")
    assert "has no stream" in complaint(compiled, folder, 'id = "a"\nversion = 1\nkit = "k"\n')
    text = 'id = "a"\nversion = 1\nkit = "k"\nstream = [1]\n'
    assert "stream 1 is not a table" in complaint(compiled, folder, text)


def test_against_the_kit(folder):
    kit = load_kit(folder)
    assert compiled(folder, kit=kit)
    told = complaint(compiled, folder, GOOD.replace('"mine"', '"air"'), kit=kit)
    assert "is for the kit 'air', not 'mine'" in told
    text = GOOD.replace("pressure_pa", "humidity_mpct").replace("[80_000, 110_000]", "[0, 9]")
    assert "humidity_mpct, which no sensor of the kit measures" in complaint(
        compiled, folder, text, kit=kit
    )


def test_windows_are_multiples_of_the_interval(folder):
    told = complaint(
        compiled, folder, GOOD.replace("window_s = 300", "window_s = 100"), kit=load_kit(folder)
    )
    assert "window_s = 100 | take a multiple of the sensor's interval_s, 60" in told


def test_more_than_a_message_can_carry(folder):
    stream = GOOD.split("\n\n")[1]
    text = GOOD.split("\n\n")[0]
    for number in range(1, 80):
        text += "\n\n" + stream.replace("number = 7", f"number = {number}")
    assert "more streams than one message can carry" in complaint(compiled, folder, text)


# kits


def test_a_kit_by_name_folder_or_file(folder):
    for given in (folder, str(folder), folder / "kit.json"):
        kit = load_kit(given, load_board(BOARD))
        assert (kit.name, kit.data) == ("mine", KIT)
        assert kit.policy_path == folder / "policy.toml"
    assert load_kit("air").name == "air"
    intervals_s = kit.intervals_s()
    measured = {quantity: intervals_s.pop(quantity) for quantity in set(intervals_s) - {*HEALTH}}
    assert measured == {"temperature_mc": 60, "pressure_pa": 60, "energy_mwh": 15}
    assert intervals_s == dict.fromkeys(HEALTH, HEALTH_INTERVAL_S)


def changed(folder, change):
    data = copy.deepcopy(KIT)
    change(data, *data["sensors"])
    (folder / "kit.json").write_text(json.dumps(data))
    return complaint(load_kit, folder, load_board(BOARD))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k, a, b: k.pop("kit"), "has no kit"),
        (lambda k, a, b: k.update(sensor=[]), "'sensor', which means nothing here"),
        (lambda k, a, b: k.update(sensors=[]), "empty sensors"),
        (lambda k, a, b: k.update(sensors=[1]), "sensor 1 is not a table"),
        (lambda k, a, b: k.update(outbox_kib=2048), "outbox_kib is 16 to 768"),
        (lambda k, a, b: k.update(outbox_kib=True), "outbox_kib is a whole number"),
        (lambda k, a, b: k.update(policy="no.toml"), "names no.toml, which is not there"),
        (lambda k, a, b: a.update(part="bme208"), "'bme208', which is not known | did you mean "),
        (lambda k, a, b: a.update(part=["bme280"]), "part is text"),
        (lambda k, a, b: a.update(bus="i2c9"), "sensor 1 (bme280) has the bus 'i2c9'"),
        (lambda k, a, b: a.update(bus="uart1"), "is on uart1, which is uart | it needs i2c: i2c0"),
        (lambda k, a, b: b.update(bus="i2c0"), "sensor 2 (s0_meter) is on i2c0, which is i2c"),
        (lambda k, a, b: a.update(interval_s=0), "interval_s is 1 to"),
        (lambda k, a, b: a.update(interval_s=True), "interval_s is a whole number"),
        (lambda k, a, b: a.update(interval_s=7), "does not divide a day"),
        (lambda k, a, b: a.update(options={"adress": 1}), "did you mean address?"),
        (lambda k, a, b: a.update(quantities=[]), "empty quantities"),
        (lambda k, a, b: a.update(quantities=["co2"]), "'co2', which is not known"),
        (lambda k, a, b: a.update(quantities=["co2_ppm"]), "does not measure co2_ppm | it meas"),
        (lambda k, a, b: a["quantities"].append("pressure_pa"), "gives pressure_pa again"),
        (lambda k, a, b: k["sensors"].append(dict(b, quantities=["energy_mwh"])), "again"),
        (lambda k, a, b: k["sensors"].append(dict(a, quantities=["humidity_mpct"])), "shares"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_kit_is_told(folder, change, words):
    told = changed(folder, change)
    assert words in told
    assert str(folder / "kit.json") in told


def test_files_that_are_no_kit(folder):
    (folder / "kit.json").write_text('{"kit": "a",\n}')
    assert "kit.json: line 2" in complaint(load_kit, folder)
    (folder / "kit.json").write_text("[]")
    assert "is not a table" in complaint(load_kit, folder)
    (folder / "kit.json").write_bytes(b"\xff")
    assert "UTF-8" in complaint(load_kit, folder)
    told = complaint(load_kit, "aire")
    assert "there is no kit 'aire' | did you mean air?" in told
    assert "there is no board 'esp32' | known: esp32-devkitc" in complaint(load_board, "esp32")
