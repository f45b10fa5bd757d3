# SPDX-License-Identifier: MIT
"""The long runs: what the suite samples, here whole."""
