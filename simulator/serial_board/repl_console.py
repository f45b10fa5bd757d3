# SPDX-License-Identifier: MIT
"""The characters of a board's REPL: what a terminal or mpremote types, and the prompts that it
gets. What is to be run goes to repl_loop.py.

https://docs.micropython.org/en/latest/reference/repl.html#raw-mode-and-raw-paste-mode
Raw paste is refused, as that page allows.
"""

BANNER = b'MicroPython; the simulator\'s unix port\r\nType "help()" for more information.\r\n'
_RAW = b"raw REPL; CTRL-B to exit\r\n>"
_PROMPT = b">>> "
_REBOOT = b"MPY: soft reboot\r\n"
CTRL_C = 3
_CTRL_A, _CTRL_B, _CTRL_D = 1, 2, 4
_RETURN, _BACKSPACES, _FIRST_PRINTABLE = 13, (8, 127), 32
_PASTE, _NO_PASTE = b"\x05A\x01", b"R\x00"
_WAITING_BYTES = 65_536  # typed ahead while something runs; more is lost


class ReplConsole:
    """send(bytes) goes to the terminal; run(kind, source) to MicroPython; interrupt() and
    soft_reset(raw) are for the process. interruptible: what runs has not shut Ctrl-C off; else it
    is a character like others."""

    def __init__(self, send, run, interrupt, soft_reset):
        self._send, self._run = send, run
        self._interrupt, self._soft_reset = interrupt, soft_reset
        self._waiting = bytearray()
        self.started(raw=False)

    def started(self, raw: bool, anew: bool = False):
        """A program begins, after a reset; raw: the raw REPL comes after it; anew: what was typed
        before went with the chip's memory."""
        self._raw, self._line = raw, bytearray()
        self._running = self._first = True
        self.interruptible = self._interrupted = False
        if anew:
            self._waiting.clear()

    def at_prompt(self):
        """What ran has ended."""
        was_first, self._first = self._first, False
        self._running = self.interruptible = self._interrupted = False
        if self._raw:
            self._send(_RAW if was_first else b">")
        else:
            self._send((BANNER if was_first else b"") + _PROMPT)
        waiting, self._waiting = bytes(self._waiting), bytearray()
        self.receive(waiting)

    def receive(self, data: bytes):
        """Takes what is typed."""
        for byte in data:
            if not self._running:
                (self._take_raw if self._raw else self._take_friendly)(byte)
            elif byte == CTRL_C and self.interruptible:
                self._waiting.clear()
                if not self._interrupted:
                    self._interrupted = True
                    self._interrupt()
            elif len(self._waiting) < _WAITING_BYTES:
                self._waiting.append(byte)

    def _start(self, kind: str):
        source, self._line = bytes(self._line), bytearray()
        self._running = True
        self._run(kind, source)

    def _reboot(self):
        self._running = True
        self._send(b"\r\n" + _REBOOT)
        self._soft_reset(self._raw)

    def _take_raw(self, byte: int):
        if self._line[:1] == _PASTE[:1]:
            self._line.append(byte)
            if len(self._line) == len(_PASTE):
                if self._line == _PASTE:
                    self._send(_NO_PASTE)
                self._line.clear()
        elif byte == _CTRL_A:
            self._line.clear()
            self._send(_RAW)
        elif byte == _CTRL_B:
            self._line.clear()
            self._raw = False
            self._send(b"\r\n" + BANNER + _PROMPT)
        elif byte == CTRL_C:
            self._line.clear()
        elif byte == _CTRL_D:
            self._send(b"OK")
            if self._line:
                self._start("exec")
            else:
                self._reboot()
        else:
            self._line.append(byte)

    def _take_friendly(self, byte: int):
        if byte == _CTRL_A:
            self._line.clear()
            self._raw = True
            self._send(_RAW)
        elif byte == _CTRL_B:
            self._send(b"\r\n" + BANNER + _PROMPT)
        elif byte == CTRL_C:
            self._line.clear()
            self._send(b"\r\n" + _PROMPT)
        elif byte == _CTRL_D and not self._line:
            self._reboot()
        elif byte == _RETURN:
            self._send(b"\r\n")
            if self._line.strip():
                self._start("single")
            else:
                self._line.clear()
                self._send(_PROMPT)
        elif byte in _BACKSPACES:
            if self._line:
                del self._line[-1]
                self._send(b"\b \b")
        elif byte >= _FIRST_PRINTABLE:
            self._line.append(byte)
            self._send(bytes((byte,)))
