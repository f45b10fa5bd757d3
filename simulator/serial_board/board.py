# SPDX-License-Identifier: MIT
"""A board at the end of a serial line: its reset circuit, its chip's boot modes, and what runs.

    host bytes ─▶ receive() ─▶ loader (download mode) or application ─▶ send(bytes)
    host lines ─▶ set_lines(dtr, rts) ─▶ EN, GPIO0

The two transistors of a development board: EN is low while RTS alone is asserted, GPIO0 is low
while DTR alone is. A capacitor holds EN low for some ms after that. esptool asserts DTR and then
lets RTS go; over a network the two are further apart than the capacitor lasts. So here EN stays
low until RTS is let go, or SETTLE_S is over.
"""

import threading

from host_tools.errors import ToolError
from simulator.serial_board.bootloader import Boot, boot
from simulator.serial_board.chips import Chip
from simulator.serial_board.faults import Faults, FaultyLine
from simulator.serial_board.flash_chip import FlashChip
from simulator.serial_board.registers import Registers
from simulator.serial_board.rom_loader import RomLoader
from simulator.serial_board.slip import SlipReader, encode
from simulator.serial_board.stub_loader import GREETING, StubLoader

ROM_BAUD = 115_200
SETTLE_S = 1.0
_BAUD_TOLERANCE = 0.03  # of a UART: beyond it, a byte is not what was sent


class CableOut(Exception):
    """The connection to the host breaks."""


class Board:
    """make_app(board, boot): what runs when an image is found: start(), receive(bytes), stop();
    a ToolError of start() goes to the serial line.
    send: called with bytes for the host."""

    def __init__(self, chip: Chip, flash: FlashChip, make_app, faults: Faults | None = None):
        self.chip = chip
        self.flash = flash
        self.send = lambda data: None
        self.host_baud: int | None = ROM_BAUD  # None: the line has no baud rate
        self._faults = faults or Faults()
        self._line = FaultyLine(self._faults)
        self._make_app = make_app
        self._baud: int | None = None  # of the chip; None: it takes that of the host
        self._loader = self._app = None
        self._slip = SlipReader()
        self._dtr = self._rts = self._held = False
        self._download = False  # GPIO0 was low when EN rose
        self._settle: threading.Timer | None = None
        self._lock = threading.RLock()

    def is_in_download(self) -> bool:
        """Whether a loader has the line."""
        return self._loader is not None

    # power and lines

    def power_up(self, download: bool = False):
        """As when it is plugged in; download: with the boot button held."""
        with self._lock:
            self._release(download)

    def power_down(self):
        with self._lock:
            self._hold()

    def set_lines(self, dtr: bool, rts: bool):
        """Asserts or lets go DTR and RTS."""
        with self._lock:
            self._dtr, self._rts = dtr, rts
            if rts and not dtr:
                self._hold()
            elif self._held and not rts:
                self._release(dtr)
            elif self._held:
                self._settle = threading.Timer(SETTLE_S, self._settled)
                self._settle.daemon = True
                self._settle.start()

    def _settled(self):
        with self._lock:
            if self._held and self._dtr and self._rts:
                self._release(False)

    def _hold(self):
        """EN is low: nothing runs."""
        if self._settle is not None:
            self._settle.cancel()
            self._settle = None
        self._held, self._loader = True, None
        if self._app is not None:
            app, self._app = self._app, None
            app.stop()

    def _release(self, download: bool):
        """EN rises."""
        self._hold()
        self._held = False
        self._download = download and not self._faults.no_boot_mode
        self._start("power")

    # what the loaders ask for, after their answer has gone out

    def change_baud(self, baud: int):
        self._baud = baud

    def reboot(self):
        """A reset by software, which does not read GPIO0 again."""
        self._start("hard")

    def run_app(self):
        self._download = False
        self._start("hard")

    def run_stub(self):
        self._loader = StubLoader(self.chip, self.flash, self._registers, self)
        self._say_packets([GREETING])

    def tell_reset(self, cause: str):
        """What the ROM prints after a reset."""
        mode, name = self.chip.download if self._download else self.chip.boot
        reset = self.chip.reset_names[cause]
        self.print(f"{self.chip.banner}rst:{reset},boot:0x{mode:x} ({name})\r\n")

    def _start(self, cause: str):
        self._slip, self._baud = SlipReader(), ROM_BAUD
        self.tell_reset(cause)
        if self._download:
            self.print("waiting for download\r\n")
            self._baud = None  # it takes the host's
            self._registers = Registers(self.chip, self.flash, self._baud_now)
            self._loader = RomLoader(self.chip, self.flash, self._registers, self)
            return
        self._loader = None
        found: Boot = boot(self.chip, self.flash)
        self.print("".join(line + "\r\n" for line in found.lines))
        if found.partitions is not None:
            app = self._make_app(self, found)
            try:
                app.start()
            except ToolError as err:  # the board can still be flashed
                self.print(f"E (70) board: {err}: {err.hint}\r\n")
            else:
                self._app = app

    def _baud_now(self) -> int:
        return self._baud or self.host_baud or ROM_BAUD

    # bytes

    def print(self, text: str):
        self.emit(text.encode())

    def emit(self, data: bytes):
        """Sends bytes to the host, which sees none of them at another baud rate."""
        if data and self._same_baud():
            self.send(data)

    def receive(self, data: bytes):
        """Takes bytes from the host. CableOut when that fault strikes."""
        with self._lock:
            if not self._same_baud() or self._held:
                return
            if self._loader is not None:
                for packet in self._slip.feed(data):
                    self._take(packet)
            elif self._app is not None:
                self._app.receive(data)

    def _take(self, packet: bytes):
        packet = self._line.takes(packet)
        if packet is None:
            raise CableOut
        loader = self._loader
        if loader is None:  # it has left in the middle of what came at once
            return
        self._say_packets(loader.take(packet))
        loader.then()

    def _say_packets(self, packets: list):
        for packet in packets:
            self.emit(encode(packet))

    def _same_baud(self) -> bool:
        if self._baud is None or self.host_baud is None:
            return True
        return abs(self.host_baud - self._baud) <= self._baud * _BAUD_TOLERANCE
