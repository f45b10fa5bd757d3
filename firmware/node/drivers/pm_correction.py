# SPDX-License-Identifier: MIT
"""What an optical particle sensor says of PM2.5, corrected for the humidity that swells particles.

The US EPA's correction of 2021 for PurpleAir's sensors (Plantower, values "under atmospheric
environment"), in the five steps of the AirNow Fire and Smoke Map. All its constants are whole
numbers of 10⁻⁶, so nothing is rounded but the result. Below zero it tells zero.
"""

from micropython import const

_STEPS = const(1_000_000_000)  # of a ng/m³: then all constants are whole numbers


def correct(pm2_5_ngm3: int, humidity_mpct: int) -> int:
    """PM2.5 in ng/m³, from the raw reading and the relative humidity beside the sensor."""
    p = pm2_5_ngm3
    damp = 5_750_000_000_000 - 86_200_000 * humidity_mpct
    middle = 786_000_000 * p + damp
    if p < 50_000:
        low = 524_000_000 * p + damp
        value = low if p < 30_000 else ((50_000 - p) * low + (p - 30_000) * middle) // 20_000
    elif p < 210_000:
        value = middle
    else:
        value = 2_966_000_000_000 + 690_000_000 * p + 884 * p * p
        if p < 260_000:
            value = ((260_000 - p) * middle + (p - 210_000) * value) // 50_000
    return max(0, (value + _STEPS // 2) // _STEPS)
