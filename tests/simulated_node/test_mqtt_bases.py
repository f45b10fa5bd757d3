# SPDX-License-Identifier: MIT
"""node/link/mqtt.py leans on no more of umqtt.simple than all its versions have.

Boards carry 1.6 to 1.8 frozen in, whose constructor and module names differ from 1.3.4's. The base
below has the constructor of the later ones, and nothing but what is the same in all: if the client
used more, tests/portable/test_mqtt.py would fail on it.
"""

import subprocess
import sys
from pathlib import Path

from host_tools.provisioning.firmware import firmware_root

ROOT = Path(__file__).parents[2]
BASE = '''
class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None):
        self.client_id = client_id
        self.sock = None
        self.server = server
        self.port = port
        self.ssl = ssl
        self.pid = 0
        self.cb = None
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.lw_topic = None
        self.lw_msg = None
        self.lw_qos = 0
        self.lw_retain = False

    def set_callback(self, f):
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.lw_topic, self.lw_msg, self.lw_qos, self.lw_retain = topic, msg, qos, retain
'''
RUN = """
import sys, unittest
from pathlib import Path
sys.path.insert(0, {root!r})
from simulator.hal.on_cpython import loader
loader.install(Path({firmware!r}), Path({base!r}))
sys.path.insert(0, {portable!r})
unittest.main("test_mqtt", argv=["test_mqtt"])
"""


def test_on_the_base_of_stock_boards(tmp_path):
    (tmp_path / "umqtt").mkdir()
    (tmp_path / "umqtt" / "__init__.py").write_text("")
    (tmp_path / "umqtt" / "simple.py").write_text(BASE)
    script = RUN.format(
        root=str(ROOT),
        firmware=str(firmware_root()),
        base=str(tmp_path),
        portable=str(ROOT / "tests" / "portable"),
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr and "Ran 0 tests" not in done.stderr
