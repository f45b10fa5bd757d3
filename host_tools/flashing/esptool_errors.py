# SPDX-License-Identifier: MIT
"""What goes wrong between a laptop and a board, in words that say what to do next.

Patterns of what esptool 5 and pyserial print; the first that fits is told. Those of SLOWER may be
over when the line is slower; at BUSY somebody else has the port.

**One more:** a row in _KNOWN, and the text that a board or esptool really gave in its test.
"""

import re

from host_tools.errors import ToolError

AGAIN = "run the same command again: it goes on where it stopped"
BOOT = (
    "hold BOOT (or IO0), press EN (or RST) once, let BOOT go, and run the command again; "
    "a board without those buttons: connect IO0 to GND while it is plugged in"
)
DIALOUT = (
    "sudo usermod -aG dialout $USER (on Arch: uucp), then log out and in; never run this as root"
)
NO_DATA = (
    "1. take a USB cable that carries data, not one for charging  2. plug it in directly, without "
    f"a hub  3. {BOOT}  4. supply the board well"
)
_BUSY_ADDRESS = "see that it is right, and that what serves it runs and has no other client"
SLOWER, BUSY = "slower", "busy"

# pattern, message, hint, kind
_KNOWN = (
    (r"No module named .?esptool", "esptool is not there", "pip install 'esptool>=5.5,<6'", ""),
    (r"Permission denied", "you may not open the port", DIALOUT, ""),
    (r"No such file or directory|FileNotFoundError|could not find.*port",
     "there is no such port", "plug the board in, and see `lamppost doctor` for the ports", ""),
    (r"Connection refused", "nothing listens at that address",
     "start what serves the board there (a virtual one: lamppost sim board); check --port", ""),
    (r"port is busy|Resource busy|Resource temporarily unavailable|Access is denied"
     r"|multiple access on port",
     "another program has the port",
     "close it: a serial monitor, mpremote, ModemManager; `sudo lsof {port}` names it", BUSY),
    (r"Could not open|could not open port",
     "the port cannot be opened", "check --port; see `lamppost doctor`", ""),
    (r"[Bb]rown-?out", "the board's supply breaks down",
     "take a shorter cable, a port with 500 mA, or a supply of its own; unplug sensors", ""),
    (r"Wrong boot mode", "the board does not go into download mode", BOOT, ""),
    (r"serial TX path seems to be down",
     "the board speaks, and does not hear us: the line to its RX is open",
     "check the wire or adapter from TX to the board's RX", ""),
    (r"This chip is .*, not|is not an? ESP", "the board has another chip",
     "check --board against what is printed on the module", ""),
    (r"will not fit in", "the flash of the board is too small",
     "take a board with the flash that its profile says (flash_kib in board.json)", ""),
    (r"Secure Boot V1|[Ff]lash encryption|[Ss]ecure [Dd]ownload|encrypted_download",
     "the board is locked: flash encryption or secure boot is burnt into its eFuses",
     "take another board: this cannot be undone", ""),
    (r"requires chip revision", "the board's chip is too old for this image",
     "take the image for this revision, or a newer board", ""),
    (r"[Ff]ailed to (set|change) baud|may not support this rate",
     "the adapter cannot be that fast", "give --baud 115200", SLOWER),
    (r"serial noise|Invalid head of packet|Invalid SLIP|Corrupt data|[Dd]igest mismatch: exp"
     r"|Read more than expected|Response doesn't match|Failed to start stub"
     r"|Failed to write to target|result was|Checksum error",
     "what arrives is damaged on the way", "give --baud 115200; take a shorter cable", SLOWER),
    (r"MD5 of file does not match|written flash region is empty",
     "the flash does not hold what was written",
     "run the command again; when it stays so, the flash is worn: take another board", SLOWER),
    (r"No serial data received", "the board does not answer", NO_DATA, ""),
    (r"Failed to connect", "the board does not answer", NO_DATA, ""),
    (r"stopped responding|SerialException|serial exception|device disconnected|Input/output error"
     r"|No more data|readiness to read|Broken pipe|socket disconnected|Packet content transfer"
     r"|Timed? ?out",
     "the board went away: cable or supply", AGAIN, SLOWER),
    (r"Unexpected chip|Autodetection failed|unsupported by this version",
     "this chip is not known", "is it one of those in boards/README.md?", ""),
)  # fmt: skip
_FATAL = re.compile(r"^ERROR: (?:.*?error occurred: )?(.*)|error occurred: (.*)")


class BoardError(ToolError):
    """slower: the same may work on a slower line; busy: another program has the port; said: what
    esptool said."""

    slower = busy = False
    said = ""


def explain(port: str, lines: list[str]) -> BoardError:
    """What the output of a failed esptool means; its own words where it is not known."""
    start = next((at for at, line in enumerate(lines) if _FATAL.search(line)), 0)
    said = " ".join(lines[start:])
    for pattern, message, hint, kind in _KNOWN:
        if re.search(pattern, said):
            if kind == BUSY and "://" in port:
                hint = _BUSY_ADDRESS  # no program has a file open there
            error = BoardError(f"{port}: {message}", hint.format(port=port))
            error.slower, error.busy, error.said = kind == SLOWER, kind == BUSY, said
            return error
    reason = _FATAL.search(said)
    words = next(filter(None, reason.groups()), "") if reason else ""
    error = BoardError(f"{port}: esptool failed: {words or 'it gave no reason'}", AGAIN)
    error.slower, error.said = not words, said  # without words it was ended in its silence
    return error
