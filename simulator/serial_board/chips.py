# SPDX-License-Identifier: MIT
"""What tells the chips apart that our boards have: where their registers lie, what stands in them
after power-up, and what the ROM prints. Sources: Espressif's technical reference manuals and what
esptool reads of a chip.

**One more chip:** a row in CHIPS. What esptool reads of it stands in its targets/<chip>.py.
"""

import dataclasses

# Of nobody: the bit that says "locally administered" is set.
MAC = bytes.fromhex("024c50000001")
_MAC_HIGH, _MAC_LOW = int.from_bytes(MAC[:2], "big"), int.from_bytes(MAC[2:], "big")
MAGIC_REGISTER = 0x4000_1000
_CRYSTAL_HZ = 40_000_000


@dataclasses.dataclass(frozen=True)
class Chip:
    """image_id: in the head of its images and in its security info; spi: offsets of the registers
    that send a command to the flash; mac_at: the eFuses that hold its address; registers:
    {address: value}; boot, download: the number and name of the two boot modes; has_security_info:
    whether its ROM answers that command."""

    name: str
    image_id: int
    bootloader_at: int
    spi_base: int
    spi_usr2: int
    spi_w0: int
    spi_address_shift: int
    uart_divider: int
    mac_at: int
    registers: dict
    banner: str
    boot: tuple[int, str]
    download: tuple[int, str]
    reset_names: dict
    has_security_info: bool = True

    def with_mac(self, mac: bytes) -> "Chip":
        """Another one of these; mac: 6 bytes."""
        address = {
            self.mac_at: int.from_bytes(mac[2:], "big"),
            self.mac_at + 4: int.from_bytes(mac[:2], "big"),
        }
        return dataclasses.replace(self, registers={**self.registers, **address})

    def divider(self, baud: int) -> int:
        """How its UART divides the crystal's clock."""
        return _CRYSTAL_HZ // baud


_FAST = "SPI_FAST_FLASH_BOOT"
_RESETS = {
    "power": "0x1 (POWERON)", "hard": "0xc (RTC_SW_CPU_RST)", "deepsleep": "0x5 (DSLEEP)",
    "wdt": "0x7 (TG0WDT_SYS_RST)",
}  # fmt: skip
_RESETS_ESP32 = {
    "power": "0x1 (POWERON_RESET)", "hard": "0xc (SW_CPU_RESET)",
    "deepsleep": "0x5 (DEEPSLEEP_RESET)", "wdt": "0x7 (TG0WDT_SYS_RESET)",
}  # fmt: skip


def _later(name, image_id, efuse, words, banner, boot, download, spi_base=0x6000_2000):
    """A chip after the ESP32: block 1 of its eFuses holds address and revision."""
    registers = {efuse: _MAC_LOW, efuse + 4: _MAC_HIGH}
    registers.update({efuse + 4 * n: value for n, value in words.items()})
    return Chip(
        name, image_id, 0x0, spi_base, 0x20, 0x58, 0, 0x6000_0014, efuse, registers, banner,
        boot, download, _RESETS,
    )  # fmt: skip


CHIPS = {
    "esp32": Chip(
        "esp32", 0, 0x1000, 0x3FF4_2000, 0x24, 0x80, 8, 0x3FF4_0014, 0x3FF5_A004,
        {
            MAGIC_REGISTER: 0x00F0_1D83,
            0x3FF5_A004: _MAC_LOW,
            0x3FF5_A008: _MAC_HIGH,
            0x3FF5_A00C: 1 << 15 | 1 << 9,  # first bit of the revision; package D0WD
            0x3FF5_A010: 128,  # with the calibration below: a crystal of 40 MHz
            0x3FF5_A014: 1 << 20 | 1 << 24,  # second bit of the revision; its minor part
            0x3FF6_607C: 1 << 31,  # third bit: revision 3
            0x3FF5_F06C: 800 << 7,
        },
        "ets Jul 29 2019 12:21:46\r\n\r\n", (0x13, _FAST),
        (0x03, "DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)"), _RESETS_ESP32, False,
    ),
    "esp32s3": _later(
        "esp32s3", 9, 0x6000_7044, {3: 2 << 18},  # v0.2
        "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n", (0x8, _FAST),
        (0x0, "DOWNLOAD(USB/UART0)"),
    ),
    "esp32c3": _later(
        "esp32c3", 5, 0x6000_8844, {3: 4 << 18},  # v0.4
        "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n", (0xD, _FAST),
        (0x5, "DOWNLOAD(USB/UART0/1)"),
    ),
    "esp32c6": _later(
        "esp32c6", 13, 0x600B_0844, {3: 1 << 18},  # v0.1
        "ESP-ROM:esp32c6-20220919\r\nBuild:Sep 19 2022\r\n", (0xC, _FAST),
        (0x4, "DOWNLOAD(USB/UART0/SDIO_REI_FEO)"), 0x6000_3000,
    ),
}  # fmt: skip
