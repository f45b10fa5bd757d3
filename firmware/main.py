# SPDX-License-Identifier: MIT
"""Started by MicroPython after boot.py."""

from node.app import run

run()
