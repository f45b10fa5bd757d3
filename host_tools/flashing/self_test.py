# SPDX-License-Identifier: MIT
"""What a node says after its start, as a report for who stands on the ladder: each sensor, Wi-Fi,
time, TLS. See firmware/node/device/log.py for the lines; they carry no reading, key or place.

    wifi: joined            bme280: found             link: connected
    wifi: wrong password    pms5003: silent           link: ('certificate', 'expired')
"""

import collections
import re

WAITING, GOOD, BAD = "waiting", "ok", "failed"
_LINE = re.compile(r"([a-z0-9_]+): (.*)")
ONCE = ("wifi", "time", "tls")
_ONLINE = re.compile(r"status .*\bonline=1\b.*")
_HOPELESS = re.compile(r"storage: |policy: (?!version )|keys: missing")
_WARM_UP_S, _LONGEST_S = 90, 300
_CODE = re.compile(r"-?\d+")
_KEYLESS = re.compile(r"policy: |keys: ")
_WRITE_AGAIN = (
    "write it again, with MicroPython 1.25 or later from micropython.org/download: lamppost "
    "update --firmware-only --firmware FILE; when it stays so, take another board"
)
_MAKE_ANEW = "make it anew: lamppost flash --anew, with a ticket or prepared node that is free"

# What a node says, and what to do about it.
_SENSOR = {
    "found": "",
    "chip id": "another part answers at its address: compare the kit",
    "checksum": "its answers arrive damaged: check the wires, keep them short",
    "frame": "its answers make no sense: is it another part, or another baud rate?",
    "silent": "it does not answer: check its supply, and swap TX and RX",
    "frozen": "it says the same again and again: unplug it for a moment",
    "range": "it says what cannot be: check its wires and its place",
    "misfit": "the kit does not fit the board: see `lamppost boards check`",
    "19": "nothing answers at its address: check supply, SDA and SCL",
    "5": "the bus fails: check SDA, SCL and their pull-ups",
    "110": "it does not answer in time: check supply and wires",
    "116": "it does not answer in time: check supply and wires",
}
_WIFI = {
    "no access point": "out of reach, 5 GHz only, or another name: check the name that was given",
    "wrong password": "check the one that was given, then run the same command again",
    "refused": "the access point refuses it: its list of devices, or WPA3 alone",
    "no address": "the network gives no address: check its DHCP, or its list of devices",
}
_TLS = {
    "future": "the broker's certificate is not valid yet: check the time of the SNTP server",
    "expired": "the broker's certificate has expired: renew it",
    "trusted CA": "the broker has a certificate of another authority",
    "Common Name": "the broker's certificate is for another name",
    "-10496": "the broker's certificate has no subjectAltName",
    "tls": "the broker ends the handshake: does it know the city's authority, and this node?",
    "network": "the broker cannot be reached: check its name, its port and the firewall",
    "name": "the broker's name cannot be looked up: check DNS",
    "no answer": "the broker does not answer: check its name, its port and the firewall",
    "refused": "the broker refuses this node: check its list of certificates",
}
_DEAD = (
    (r"[Bb]rown-?out", "its supply breaks down: a shorter cable, or a supply of its own"),
    (r"flash read err|No bootable app|Failed to verify partition|invalid header", "its flash does "
     "not start: run the command again"),
    (r"corrupted|filesystem", "its file system cannot be read: run the command with --anew"),
    (r"^app: cannot go on: (.*)", ""),
    (r"^main: (.*)", ""),
    (r"^Traceback", "its firmware does not start"),
)  # fmt: skip


class SelfTest:
    """kit: the content of kit.json. feed() it each line; states: {name: (state, words)}."""

    def __init__(self, kit: dict):
        self._parts = collections.Counter(entry["part"] for entry in kit["sensors"])
        self._found = collections.Counter()
        self._interval_s = {}
        for entry in kit["sensors"]:
            known_s = self._interval_s.get(entry["part"], 0)
            self._interval_s[entry["part"]] = max(known_s, entry["interval_s"])
        self.states = dict.fromkeys((*self._parts, *ONCE), (WAITING, ""))
        self.dead = ""  # why it does not run at all

    def wait_s(self) -> int:
        """How long a node may take that has nothing to complain about."""
        return min(max(map(self._due_s, self._parts), default=_WARM_UP_S), _LONGEST_S)

    def _due_s(self, part: str) -> int:
        """When a sensor must have been heard of: it is asked at its interval, and warms up."""
        return _WARM_UP_S + 2 * self._interval_s[part]

    def feed(self, line: str):
        """Takes one line of the serial port."""
        line = line.strip()
        for pattern, words in _DEAD:
            told = re.search(pattern, line)
            if told:
                self.dead = words or f"its firmware gives up: {_plain(told[1])}"
        if _ONLINE.fullmatch(line):
            for name in ONCE:
                self.states[name] = (GOOD, "")
        told = _LINE.fullmatch(line)
        if told:
            self._take(told[1], told[2])

    def _take(self, where: str, what: str):
        if where == "wifi":
            good = what == "joined"
            self.states["wifi"] = (GOOD, "") if good else (BAD, _words(_WIFI, what))
        elif where == "link":
            # Before both are there, no TLS byte is sent.
            self.states["wifi"] = self.states["time"] = (GOOD, "")
            good = what == "connected"
            self.states["tls"] = (GOOD, "") if good else (BAD, _words(_TLS, what))
        elif where in self._parts:
            self._sensor(where, what)
        elif _HOPELESS.match(f"{where}: {what}"):
            self.dead = f"{where}: {_plain(what)}"

    def _sensor(self, part: str, what: str):
        if what != "found":
            self._found[part] = 0
            self.states[part] = (BAD, _words(_SENSOR, what))
            return
        self._found[part] += 1
        if self._found[part] >= self._parts[part]:
            self.states[part] = (GOOD, "")

    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return bool(self.dead) or all(state == GOOD for state, _ in self.states.values())

    def close(self, waited_s: float):
        """No more lines come: says what was waited for in vain, or may still come."""
        for name, (state, _) in self.states.items():
            if state == WAITING and name not in ONCE and waited_s >= self._due_s(name):
                self.states[name] = (BAD, "it says nothing: check its supply and its wires")
            elif state == WAITING:
                self.states[name] = (WAITING, self._missing(name))

    def _missing(self, name: str) -> str:
        if name == "wifi":
            return "it said nothing of Wi-Fi: does it run? press EN (RST)"
        if self.states["wifi"][0] != GOOD and name in ONCE:
            return "comes after Wi-Fi"
        if name == "time":
            return "no time: can the SNTP server be reached (UDP 123)?"
        if name == "tls":
            return "comes after the time"
        return f"not heard of yet: it is asked each {self._interval_s[name]} s"

    def failed(self) -> bool:
        """Whether a technician has to do something. A sensor that is asked once an hour may be
        waited for."""
        if self.dead:
            return True
        return any(
            state == BAD or (state == WAITING and name in ONCE)
            for name, (state, _) in self.states.items()
        )

    def waiting_for(self) -> str:
        """For a line of progress: what is bad, in its words, and the names of what has not been
        heard of."""
        bad = [f"{name}: {words}" for name, (state, words) in self.states.items() if state == BAD]
        unheard = [name for name, (state, _) in self.states.items() if state == WAITING]
        return "; ".join(bad + ([f"waits for {', '.join(unheard)}"] if unheard else []))

    def dead_hint(self) -> str:
        """What to do with a node that is dead."""
        return _MAKE_ANEW if _KEYLESS.match(self.dead) else _WRITE_AGAIN

    def as_object(self) -> dict:
        """For --json."""
        told = {name: {"state": s, "hint": words} for name, (s, words) in self.states.items()}
        return {"failed": self.failed(), "dead": self.dead, "checks": told}


def _words(known: dict, what: str) -> str:
    """What is said, and what to do: by the most telling of its words. What is a number or a tuple
    of them in MicroPython says nothing to who reads it."""
    for key, words in known.items():
        if re.search(rf"(?<![\w-]){re.escape(key)}(?!\w)", what):
            is_code = what.startswith("(") or _CODE.fullmatch(what)
            return words if is_code else f"{what}: {words}"
    return f"error {what}" if _CODE.fullmatch(what) else _plain(what)


def _plain(what: str) -> str:
    """A tuple as words: (3, 'signature') is 3 signature."""
    return re.sub(r"[()',]", "", what) if what.startswith("(") else what
