# SPDX-License-Identifier: MIT
"""The load curve of a street that is masked, from the meters to what a token opens: without noise
every window is exact; with noise it is as near as is stated, as often as is stated."""

import pytest
from scipy.stats import binomtest

from host_tools.collector.sum_figures import noise_bound
from tests.privacy.masked_street import QUARTER_S, open_curve, quarters

SURE = 0.95  # 19 of 20
OFFICES = 4  # each draws noise of its own
UNLIKELY = 1e-3


@pytest.fixture(scope="module")
def spans(recorded):
    home = recorded.street
    return quarters(home.start_s, home.end_s)


def test_without_noise_every_window_is_exact(recorded, spans, tmp_path):
    home = recorded.street
    office = home.office(tmp_path, recorded.exact)
    opened, _ = open_curve(recorded.exact_store, office, home.nodes(), spans)
    assert len(opened) == len(spans) == 192
    assert [total for _, total in opened] == home.true_sums()
    assert {count for count, _ in opened} == {len(home.nodes()) * 60}
    measured = sum(sum(one.house.watts) for one in home.dwellings) * 1000 / 60
    assert sum(total for _, total in opened) == pytest.approx(measured, rel=1e-5)


def test_other_pieces_of_time_are_exact_as_well(recorded, tmp_path):
    home = recorded.street
    office = home.office(tmp_path, recorded.exact)
    first, days = home.start_s, 2
    spans = [(first + 3 * QUARTER_S, first + 7 * QUARTER_S), (first + 86_400 // 2, home.end_s)]
    true = home.true_sums()
    opened, _ = open_curve(recorded.exact_store, office, home.nodes(), spans)
    assert [total for _, total in opened] == [sum(true[3:7]), sum(true[48 : 96 * days])]


def errors(recorded, spans, folder) -> tuple[list[int], set]:
    """By how much each opened window is off, and the scales that tokens state."""
    home, found, stated = recorded.street, [], set()
    for number in range(OFFICES):
        (folder / str(number)).mkdir()
        office = home.office(folder / str(number), recorded.noisy, seed=number)
        opened, scales = open_curve(recorded.noisy_store, office, home.nodes(), spans)
        true = home.true_sums()
        found += [total - sum_ for (_, total), sum_ in zip(opened, true, strict=True)]
        assert {count for count, _ in opened} == {len(home.nodes()) * 60}
        stated.add(scales)
    return found, stated


def within(found: list[int], bound: int) -> bool:
    """Whether as many are within the bound as it says."""
    hits = sum(abs(error) <= bound for error in found)
    return binomtest(hits, len(found), SURE).pvalue > UNLIKELY


def test_with_noise_it_is_as_near_as_stated(recorded, spans, tmp_path):
    found, scales = errors(recorded, spans, tmp_path)
    assert len(found) == OFFICES * 192
    ((of_count, scale),) = scales
    assert of_count is None
    assert scale == (1_010_000, 1)  # 101 Wh at an epsilon of 1/10, in mWh
    bound = noise_bound(*scale)
    assert within(found, bound)
    assert not within(found, bound // 2) and not within(found, bound * 2)  # it can tell
    assert len(set(found)) > len(found) - 3  # drawn for each window, and by each office
    mean = sum(found) / len(found)
    deviation = 2**0.5 * scale[0] / len(found) ** 0.5
    assert abs(mean) < 4 * deviation
