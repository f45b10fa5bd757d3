# SPDX-License-Identifier: MIT
"""Which locks are burnt into a chip's eFuses, read by Espressif's espefuse (`summary`, which burns
nothing). Stock MicroPython starts on no chip whose flash is encrypted or that wants signed code.
"""

import json

from host_tools.errors import ToolError
from host_tools.flashing.esptool_program import Esptool

# eFuse: what it means when it is set. Counters are set when an odd number of their bits is.
_COUNTERS = {"FLASH_CRYPT_CNT": "flash encryption", "SPI_BOOT_CRYPT_CNT": "flash encryption"}
_FLAGS = {
    "ABS_DONE_0": "secure boot", "ABS_DONE_1": "secure boot", "SECURE_BOOT_EN": "secure boot",
    "UART_DOWNLOAD_DIS": "no download mode", "DIS_DOWNLOAD_MODE": "no download mode",
    "ENABLE_SECURITY_DOWNLOAD": "secure download mode",
}  # fmt: skip


def locks(esptool: Esptool) -> list[str]:
    """The locks that are set, in words; [] for a chip as it leaves the factory."""
    lines = esptool.run("summary", "--format", "json", program="espefuse")
    try:
        begin, end = lines.index("{"), len(lines) - lines[::-1].index("}")
        efuses = json.loads("".join(lines[begin:end]))
        found = {
            _COUNTERS[name] for name in _COUNTERS if name in efuses and _raw(efuses, name) % 2
        }
        found |= {_FLAGS[name] for name in _FLAGS if name in efuses and _raw(efuses, name)}
    except (ValueError, KeyError, TypeError) as err:
        hint = "this needs esptool ≥ 5.5 and < 6: pip install 'esptool>=5.5,<6'"
        raise ToolError(f"{esptool.port}: espefuse's answer is not understood", hint) from err
    return sorted(found)


def _raw(efuses: dict, name: str) -> int:
    """How many bits of an eFuse are set."""
    return int(efuses[name]["raw_value"], 0).bit_count()
