# SPDX-License-Identifier: MIT
"""Reset and watchdog. The watchdog is fed by progress of the cycle and by nothing else."""

import machine

POWER_ON, WATCHDOG = machine.PWRON_RESET, machine.WDT_RESET
WATCHDOG_MS = 180_000  # TLS set-up may take 30 s, a rest between two steps 60 s


def start_watchdog():
    """The running watchdog: call its `feed()` at least every WATCHDOG_MS."""
    return machine.WDT(timeout=WATCHDOG_MS)


def reset():
    """Restarts the board as a power-up does, but for RTC memory."""
    machine.reset()


def reset_cause() -> int:
    """Why the board started: POWER_ON, WATCHDOG, or another of the machine's causes."""
    return machine.reset_cause()
