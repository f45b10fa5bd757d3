# SPDX-License-Identifier: MIT
"""Reads what provisioning left on flash, builds the parts of one node, and runs its steps.

The only file that wires stages together. A node that may not tell anything, for want of a valid
policy, does not measure anything either.
"""

import os

from node import forget
from node.device import flash_file, power
from node.device.boots import Boots
from node.device.clock import Clock
from node.device.hardware import Hardware
from node.device.keys import Keys
from node.device.log import say
from node.errors import MISFIT, LamppostError, OutboxError, SensorFault
from node.policy.renewal import Renewal
from node.policy.rules import DAY_S

_RELEASED = flash_file.DATA + "released"
_LOOK_BACK = 16  # envelopes without records may come last
_RETRY_MS = 60_000  # after an error that only a technician, or a new start, can mend
_SEND_SIZE = 1024  # bytes of a packet: compile_policy.py keeps envelopes below
_RECEIVE_SIZE = 512  # a receipt of 16 ranges has 230 bytes
_FORMAT_AFTER = 2  # starts without a receipt, this one included
_TRIES = 3  # to read what is on flash, before it counts as damaged


def _random_below(limit: int) -> int:
    return int.from_bytes(os.urandom(4), "big") % limit


def _config(name: str):
    return flash_file.read_json(flash_file.CONFIG + name + ".json")


def _make_sensor(entry: dict, hardware: Hardware, humidity: list):
    # Not `entry` itself: what make() names stays in the heap.
    part, bus, options = entry["part"], entry["bus"], entry.get("options", {})
    name = entry.get("driver")

    def make():
        if name is None:
            raise SensorFault(MISFIT)
        driver = getattr(__import__("node.drivers." + part, None, None, (name,)), name)
        return driver(hardware.bus(bus, driver, options), **options)

    if "particles" in entry or "humid" in entry:
        from node.pipeline import particles

        return particles.make(entry, make, humidity)
    if entry.get("watches"):
        from node.pipeline.watch import WatchingSensor

        return WatchingSensor(entry, make)
    from node.pipeline.sample import Sensor

    return Sensor(entry, make)


def _forget():
    """Modules that are used once, at the start, give their heap back."""
    for package, name in (("device", "storage"), ("pipeline", "reading"),
                          ("crypto", "series"), ("pipeline", "look_back")):  # fmt: skip
        forget(package, name)


def _open_data(keys, boots, make):
    """Mounts /data and gives what make() reads from it. When it cannot be used it is made anew,
    but only with the keys to fill it again, and not before another start has failed as well."""
    from node.device import storage

    for left in range(_TRIES - 1, -1, -1):
        try:
            storage.mount()
            return make()
        except OSError as err:
            if not left and (keys.missing() or boots.unreached < _FORMAT_AFTER):
                raise
            say("storage", "/data cannot be read: " + str(err.args[0]))
    say("storage", "/data is damaged, and made anew")
    storage.format()
    boots.formatted()
    return make()


def _keep_released(data: bytes) -> bool:
    try:
        flash_file.replace(_RELEASED, data)
    except OSError as err:
        say("slots", err)
        return False
    return True


def _read_released(outbox, sealer):
    """What was released before this power-up: the newest envelopes tell up to when."""
    from node.pipeline.look_back import instant_s
    from node.pipeline.minimise import Released

    last_s, newest = None, outbox.next_number - 1
    for number in range(newest, max(outbox.floor, newest - _LOOK_BACK) - 1, -1):
        try:
            last_s = instant_s(sealer, outbox.read(number))
        except (OutboxError, OSError):
            continue
        if last_s is not None:
            break
    return Released(flash_file.read(_RELEASED) or b"", last_s, _keep_released)


def _make_scrub():
    from node.device.nvs_scrub import NvsScrub

    return NvsScrub()


def _load_policy(keys, boots, kit: dict):
    """(what is to renew the policy, the policy in force). Before all else is loaded: to check its
    signature takes heap."""
    from node.pipeline.reading import intervals_s

    intervals = intervals_s(kit)
    for name in intervals:  # MicroPython keeps a name of an attribute once, whoever reads it later
        hasattr(kit, name)
    renewal = Renewal(keys, kit["kit"], intervals)
    return renewal, _open_data(keys, boots, renewal.load)


def build(watchdog):
    """The node as its flash describes it; raises when it cannot be."""
    keys, boots = Keys(), Boots()
    renewal, policy = _load_policy(keys, boots, _config("kit"))

    from node.crypto.series import draw_series
    from node.cycle import Node
    from node.device.kept import read_blob
    from node.link.mqtt import MQTTClient
    from node.link.time_sync import TimeSync
    from node.link.wifi import Wifi
    from node.pipeline import reading
    from node.pipeline.down import CommandOpener, ReceiptOpener
    from node.pipeline.minimise import Minimiser
    from node.pipeline.outbox import Outbox
    from node.pipeline.publish import Publisher
    from node.pipeline.seal import Sealer

    config = _config("config")
    kit = _config("kit")
    buses = [entry["bus"] for entry in kit["sensors"]]
    hardware = Hardware(_config("board"), buses)
    intervals_s = reading.intervals_s(kit)
    clock, outbox = _open_data(
        keys, boots, lambda: (Clock(config["floor_s"]), Outbox(kit["outbox_kib"] * 1024))
    )
    if keys.missing():
        say("keys", "missing, so it must be provisioned again: " + ", ".join(keys.missing()))
    node_id, broker, day0 = config["node"], config["broker"], config["day0"]
    wifi = Wifi(config["wifi"]["ssid"], config["wifi"]["password"])
    wifi.step(clock.uptime_ms())  # the radio first: without it the random source is weak
    series = draw_series(os.urandom(32), boots.boots, outbox.next_number - 1)
    seed = os.urandom(32)
    link = MQTTClient(
        node_id, broker["host"], broker["port"], None, clock,
        send_size=_SEND_SIZE, receive_size=_RECEIVE_SIZE,
    )  # fmt: skip
    link.nvs = keys.nvs
    link.rarely("first_identity", None)

    sealer = Sealer(keys, node_id, policy, series)
    masker = None
    has_trees = [1 for name in ("trees", "trees2") if read_blob(keys.nvs, name, 32) is not None]
    if has_trees or [1 for stream in policy.streams if stream.bins is not None]:
        from node.pipeline.masked import Masker

        masker = Masker(keys, sealer, outbox, policy, day0)
        keys.is_masking = True
    minimiser = Minimiser(policy, intervals_s, _read_released(outbox, sealer), seed)

    def confirm(utc_s: int, age_ms):
        clock.confirm(utc_s, age_ms)
        day = utc_s // DAY_S - day0
        try:
            if day > keys.epoch:
                minimiser.keep_released()  # what was sealed before cannot be opened, to tell it
            keys.step_to(day)
            if masker is not None:
                masker.step()
        finally:
            if clock.is_held():
                renewal.on_sure(clock.utc_ms() // 1000)

    publisher = Publisher(
        node_id, outbox, link,
        ReceiptOpener(keys.receipt, node_id), confirm,
        CommandOpener(keys.command, node_id), keys.use_command,
        lambda arguments: renewal.take_part(arguments, clock.utc_ms() // 1000), clock.uptime_ms,
    )  # fmt: skip
    link.set_callback(publisher.on_message)
    link.on_puback = publisher.on_puback
    humidity = [None]  # the newest, for sensors that ask for it
    sensors = [_make_sensor(entry, hardware, humidity) for entry in kit["sensors"]]
    if boots.is_safe():
        say("app", "safe state: only its health is measured")
        sensors = []
    if policy.digest is None:
        sensors = []
    node = Node(
        clock=clock,
        wifi=wifi,
        time_sync=TimeSync(config["sntp"]),
        link=link,
        sensors=sensors,
        minimiser=minimiser,
        sealer=masker or sealer,
        outbox=outbox,
        append=(masker or outbox).append,
        publisher=publisher,
        watchdog=watchdog,
        keys=keys,
        make_scrub=_make_scrub,
        boots=boots,
        renewal=renewal,
        quantities=sorted(intervals_s),
        random_below=_random_below,
    )
    publisher.on_new_outbox = node.on_new_outbox
    publisher.take_key = keys.take
    return node


def run():
    """Runs the node for ever. What it cannot mend it says on the serial port, and starts again."""
    global build, _config, _load_policy, _make_sensor, _open_data, _read_released
    watchdog = power.start_watchdog()  # first: a board that hangs or ends at the REPL is lost
    try:
        node = build(watchdog)
        _forget()
        del build, _config, _load_policy, _make_sensor, _open_data, _read_released
        while not node.over():
            node.rest(node.step())
    except Exception as err:
        # Only these are sure to carry no secret.
        reason = " " + str(err) if isinstance(err, (LamppostError, MemoryError)) else ""
        say("app", "cannot go on: " + type(err).__name__ + reason)
        Clock.sleep_ms(_RETRY_MS)
    except (KeyboardInterrupt, SystemExit):  # they would end at the REPL
        pass
    power.reset()
