# SPDX-License-Identifier: MIT
"""Appliances of the recorded household: seen in its load, not in what a policy lets out."""

import pytest

from host_tools.attacks import energy
from host_tools.attacks.recording import MINUTES, read_household
from host_tools.errors import ToolError


def test_one_dwelling(policies, recordings):
    policy = policies["energy-dwelling"]
    (result,) = energy.attack_dwelling("dwelling", policy, recordings, 1, windows_s=())
    raw, habit, found = (result.details[kind] for kind in ("raw", "habit", "policy"))
    assert raw["heating"] > 0.95 > habit["heating"] + 0.1
    assert result.met
    for group, f1 in found.items():
        assert f1 is None or f1 <= habit[group] + 0.05, group


def test_finer_windows_would_tell(policies, recordings):
    """The attack is one: with a quarter of an hour it does better than guessing."""
    house = read_household(recordings)
    heating = house._replace(on={"heating": house.on["heating"]})
    fine = energy.policy_of_window(policies["energy-dwelling"], 900)
    series = energy.released(fine, house.watts, bytes(32))
    habit = energy.guesses(heating, [])["heating"].f1
    assert energy.guesses(heating, series)["heating"].f1 > habit + 0.05


def test_what_is_released_covers_its_minutes(policies):
    """A kilowatt in the second quarter of an hour."""
    watts = [0.0] * 15 + [1000.0] * 15 + [0.0] * (MINUTES - 30)
    (energy_wh, mean, peak) = energy.released(policies["energy"], watts, bytes(32))
    assert energy_wh[:15] == [0.0] * 15 and energy_wh[15:30] == [250.0] * 15
    assert not any(energy_wh[30:])
    assert mean[15:30] == peak[15:30] == [100.0] * 15  # steps of 10 W
    (daily,) = energy.released(policies["energy-dwelling"], watts, bytes(32))
    assert set(daily) == {3.0}  # 250 Wh in steps of 100


def test_bad_recordings(tmp_path):
    with pytest.raises(ToolError, match="energy_minutely"):
        read_household(tmp_path)
    file = tmp_path / "energy_minutely.csv"
    file.write_text("time,active_power_w\n2007-02-01,1\n")
    with pytest.raises(ToolError, match=":2: cannot be read"):
        read_household(tmp_path)
    file.write_text("time,active_power_w,kitchen_wh,laundry_wh,heating_wh\n2007,1,2,3,4\n")
    with pytest.raises(ToolError, match="two days"):
        read_household(tmp_path)
