# SPDX-License-Identifier: MIT
"""What the attacks ask. Apart from run.py, which imports what they calculate with."""

# attack: what it asks
ATTACKS = {
    "network": "do sizes and times of messages tell what happens?",
    "energy": "which appliances run?",
    "epsilon": "do releases cost what is stated?",
    "averaging": "does averaging over days tell more than the days cost?",
    "night": "was one person there?",
}


def has_energy(policy) -> bool:
    """Whether the attack on energy, which needs recordings, fits the policy."""
    return any(stream.quantity == "energy_mwh" for stream in policy.streams)
