# SPDX-License-Identifier: MIT
"""Turns a bare board into a node: see README.md."""
