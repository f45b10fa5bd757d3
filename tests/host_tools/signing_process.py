# SPDX-License-Identifier: MIT
"""Signs COUNT messages with the tests' key, after a line on stdin; prints each leaf.

    python -m tests.host_tools.signing_process STATE WITNESS_FOLDER COUNT
"""

import sys
from pathlib import Path

from host_tools.provisioning.lms_signer import Signer

SEED, IDENTIFIER = bytes(range(32)), bytes(range(100, 116))


def main(state: Path, witness: Path, count: int):
    signer = Signer(SEED, IDENTIFIER, state, witness)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        print(int.from_bytes(signer.sign(b"message %d" % number)[4:8]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
