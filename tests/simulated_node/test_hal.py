# SPDX-License-Identifier: MIT
"""simulator/hal: the look-alikes behave as MicroPython's documentation says."""

import datetime
import json
import socket as _host_socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.hal import bench as bench_module
from simulator.hal import esp32, machine, network, sntp_socket, ticks
from simulator.hal.bench import Bench, bench
from simulator.hal.on_cpython import cryptolib, socket, tls, vfs
from simulator.hal.on_cpython import os as flash_os
from simulator.world.flash import BLOCK_BYTES, Flash, PowerCut
from simulator.world.nvs import NvsPartition
from simulator.world.radio import Radio


@pytest.fixture(autouse=True)
def fresh_bench():
    before = dict(vars(bench))
    vars(bench).update(vars(Bench()))
    bench.until_ms = 10**9
    bench.nvs = NvsPartition(Flash(blocks=6))
    bench.partitions = {"nvs": bench.nvs.flash}
    yield bench
    vars(bench).clear()
    vars(bench).update(before)


class Talker:
    BAUD = 9600
    plugged = True
    wire = None

    def __init__(self):
        self.sent = b""
        self.heard = b""

    def receive(self, now_ms, data):
        self.heard += data

    def transmit(self, now_ms):
        sent, self.sent = self.sent, b""
        return sent


class TestMachine:
    def test_nobody_at_an_i2c_address_is_enodev(self):
        bus = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=100_000)
        for call in (
            lambda: bus.writeto(0x76, b"\x00"),
            lambda: bus.readfrom_mem(0x76, 0xD0, 1),
            lambda: bus.readfrom_into(0x76, bytearray(2)),
        ):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.args[0] == 19
        assert bus.scan() == []

    def test_a_uart_that_is_not_read_in_time_loses_the_newest_bytes(self):
        chip = bench.uart[1] = Talker()
        uart = machine.UART(1, baudrate=9600, tx=17, rx=16, rxbuf=128)
        chip.sent = bytes(range(200))
        assert uart.any() == 128
        chip.sent = b"later"
        assert uart.read() == bytes(range(128))
        assert uart.lost_bytes == 77
        assert uart.read() is None

    def test_another_baud_rate_garbles(self):
        chip = bench.uart[1] = Talker()
        uart = machine.UART(1, baudrate=19_200)
        chip.sent = b"\x42\x4d"
        assert uart.read() != b"\x42\x4d"

    def test_uart_write_and_readinto(self):
        chip = bench.uart[2] = Talker()
        uart = machine.UART(2, 9600)
        assert uart.write(b"abc") == 3
        assert chip.heard == b"abc"
        chip.sent = b"12345"
        buffer = bytearray(3)
        assert (uart.readinto(buffer), bytes(buffer)) == (3, b"123")
        assert (uart.readinto(buffer), bytes(buffer)) == (2, b"453")
        assert uart.readinto(buffer) is None

    def test_a_watchdog_that_is_not_fed_resets(self, capsys):
        watchdog = machine.WDT(timeout=5000)
        bench.sleep_ms(4999)
        watchdog.feed()
        with pytest.raises(SystemExit):
            bench.sleep_ms(60_000)
        assert capsys.readouterr().out == "\n\x01reset wdt 9999 0\n"

    @pytest.mark.parametrize(
        ("end", "said"),
        [(lambda: machine.deepsleep(5000), "deepsleep 0 5000"), (machine.reset, "hard 0 0")],
    )
    def test_deepsleep_and_reset_end_the_run_once(self, end, said, capsys):
        for ask in (end, machine.reset, machine.soft_reset):  # the firmware, on its way out
            with pytest.raises(SystemExit):
                ask()
        assert capsys.readouterr().out == f"\n\x01reset {said}\n"

    def test_a_power_cut_stays_one_whatever_the_firmware_asks_for_then(self, capsys):
        bench.off_ms = 7000
        bench.partitions["lpdata"] = flash = Flash(blocks=4)
        flash.cut(1, "none")
        with pytest.raises(PowerCut):
            flash.erase(0)
        with pytest.raises(SystemExit):
            machine.reset()
        assert capsys.readouterr().out == "\n\x01reset power 0 7000\n"

    def test_pin_interrupts_on_the_edges_asked_for(self):
        seen = []
        pin = machine.Pin(4, machine.Pin.IN)
        pin.irq(lambda p: seen.append(p.value()), machine.Pin.IRQ_RISING)
        for level in (1, 1, 0, 1):
            machine.drive(4, level)
        assert seen == [1, 1]

    def test_rtc_memory_and_date(self):
        rtc = machine.RTC()
        rtc.datetime((2026, 7, 1, 0, 12, 30, 15, 0))
        assert rtc.datetime()[:3] == (2026, 7, 1)
        assert rtc.datetime()[3] == 2  # a Wednesday
        rtc.memory(b"kept")
        assert rtc.memory() == b"kept"
        with pytest.raises(ValueError):
            rtc.memory(bytes(2049))

    def test_what_is_missing_raises_attribute_error(self):
        for module, name in ((machine, "SPI"), (esp32, "ULP"), (network, "LAN")):
            with pytest.raises(AttributeError):
                getattr(module, name)
        with pytest.raises(TypeError):
            machine.I2C(0, speed=5)


class TestEsp32:
    def test_nvs_is_durable_at_commit_only(self):
        nvs = esp32.NVS("space")
        nvs.set_i32("boots", -7)
        nvs.set_blob("key", b"\x01\x02\x03")
        buffer = bytearray(8)
        assert (nvs.get_i32("boots"), nvs.get_blob("key", buffer)) == (-7, 3)
        nvs.set_blob("gone", b"x")
        nvs.erase_key("gone")
        with pytest.raises(OSError):
            nvs.get_blob("gone", buffer)
        with pytest.raises(OSError):
            esp32.NVS("space").get_i32("boots")
        with pytest.raises(OSError):
            nvs.erase_key("gone")
        nvs.commit()
        again = esp32.NVS("space")
        with pytest.raises(OSError):
            esp32.NVS("elsewhere").erase_key("boots")
        assert again.get_i32("boots") == -7
        assert again.get_blob("key", buffer) == 3
        assert buffer[:3] == b"\x01\x02\x03"

    def test_nvs_errors(self):
        nvs = esp32.NVS("space")
        nvs.set_blob("key", b"12345")
        for call in (
            lambda: nvs.get_i32("absent"),
            lambda: nvs.get_i32("key"),
            lambda: nvs.get_blob("key", bytearray(4)),
            lambda: nvs.set_i32("a name too long!", 1),
            lambda: nvs.erase_key("absent"),
        ):
            with pytest.raises(OSError):
                call()
        with pytest.raises(OverflowError):
            nvs.set_i32("n", 1 << 31)

    def test_the_counter_resets_at_its_limit(self):
        class Pulses:
            plugged = True
            count = 0

            def edges(self, now_ms):
                return self.count

        pulses = bench.counters[34] = Pulses()
        counter = esp32.PCNT(0, pin=machine.Pin(34), rising=esp32.PCNT.INCREMENT, min=0, max=100)
        pulses.count = 250
        assert counter.value() == 50
        assert counter.value(0) == 50
        pulses.count = 260
        assert counter.value() == 10
        with pytest.raises(ValueError):
            esp32.PCNT(8, pin=machine.Pin(34))
        with pytest.raises(ValueError):
            esp32.PCNT(0, pin=machine.Pin(34), max=40_000)


class TestNetwork:
    def test_joining_takes_two_seconds_and_the_right_password(self):
        bench.air = {"ssid": "city", "password": "secret", "hosts": {"broker": ["127.0.0.1", 1]},
                     "sntp": True}  # fmt: skip
        radio = Radio()
        bench.radio = lambda *words: radio.answer(bench.air, bench.now_ms, *words)
        wlan = network.WLAN(network.STA_IF)
        with pytest.raises(OSError):
            wlan.connect("city", "secret")
        wlan.active(True)
        wlan.connect("city", "wrong")
        bench.sleep_ms(60_000)
        assert wlan.status() == network.STAT_CONNECTING  # it tries again and again
        wlan.config(reconnects=0)
        wlan.connect("city", "wrong")
        bench.sleep_ms(2000)
        assert wlan.status() == network.STAT_WRONG_PASSWORD
        assert not wlan.isconnected()
        with pytest.raises(OSError):
            sntp_socket.lookup("broker", 8883)
        wlan.connect("city", "secret")
        assert wlan.status() == network.STAT_CONNECTING
        bench.sleep_ms(2000)
        assert wlan.isconnected()
        assert wlan.ifconfig()[0] == "192.168.4.2"
        assert [found[0] for found in wlan.scan()] == [b"city"]
        with pytest.raises(AttributeError):
            wlan.ipconfig("addr4")
        assert sntp_socket.lookup("broker", 8883) == ("127.0.0.1", 1)
        assert sntp_socket.lookup("10.0.0.1", 8883) == ("10.0.0.1", 8883)


class TestTicks:
    @given(st.integers(0, 2**31))
    def test_gmtime_is_the_calendar(self, seconds):
        moment = datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=seconds)
        fields = ticks.gmtime(seconds)
        assert fields[:6] == moment.timetuple()[:6]
        assert fields[6] == moment.weekday()
        assert fields[7] == moment.timetuple().tm_yday
        assert ticks.mktime(fields) == seconds

    @given(st.integers(0, 2**30 - 1), st.integers(-(2**29), 2**29 - 1))
    def test_differences_wrap(self, start, delta):
        assert ticks.ticks_diff(ticks.ticks_add(start, delta), start) == delta

    def test_sleep_skips_time(self):
        before = ticks.ticks_ms()
        ticks.sleep_ms(86_400_000)
        assert ticks.ticks_diff(ticks.ticks_ms(), before) == 86_400_000
        assert ticks.time() == 86_400  # the board counts from 2000 until its clock is set

    def test_waiting_runs_with_real_time(self, monkeypatch):
        real_us = iter((1_000, 4_600, 5_000, 5_500))
        monkeypatch.setattr(bench_module, "ticks_us", lambda: next(real_us))
        bench.waited_since(bench_module.ticks_us())
        assert bench.now_ms == 3
        bench.waited_since(bench_module.ticks_us())  # 0.6 ms were left over
        assert bench.now_ms == 4


class TestCertificates:
    def test_no_certificate_is_valid_until_the_boards_clock_is_set(self):
        bench.start_s = 1_800_000_000
        with pytest.raises(ValueError):
            bench.check_certificate_dates()
        machine.RTC().datetime((2027, 1, 15, 4, 8, 0, 0, 0))  # 1 800 000 000 in Unix time
        bench.check_certificate_dates()
        bench.sleep_ms(3_600_000)
        bench.check_certificate_dates()
        machine.RTC().datetime((2028, 1, 15, 4, 8, 0, 0, 0))  # they are good for ten years
        bench.check_certificate_dates()
        machine.RTC().datetime((2037, 1, 15, 4, 8, 0, 0, 0))
        with pytest.raises(ValueError):
            bench.check_certificate_dates()


class TestGrants:
    def test_a_process_stops_where_its_grant_ends(self, monkeypatch, capsys):
        class Signals:
            def take_levels(self, times, levels, base_ms):
                pass

            def take_events(self, until_ms, events, known_ms):
                pass

        bench.until_ms = 1000
        bench.signals = Signals()
        grant = {"until": 3000, "known": 11_000, "times": [], "levels": 0, "events": {}}
        lines = iter([json.dumps(grant) + "\n", "stop\n"])
        monkeypatch.setattr("sys.stdin", type("In", (), {"readline": lambda self: next(lines)})())
        bench.sleep_ms(1500)
        assert bench.now_ms == 1500
        with pytest.raises(SystemExit):
            bench.sleep_ms(1500)
        assert capsys.readouterr().out == "\n\x01arrived 1000 0\n\n\x01arrived 3000 0\n"


class TestCryptolib:
    def test_only_what_a_stock_esp32_has(self):
        for key, mode in ((bytes(24), 1), (bytes(16), 6), (bytes(5), 2)):
            with pytest.raises(ValueError):
                cryptolib.aes(key, mode, bytes(16))
        with pytest.raises(ValueError):
            cryptolib.aes(bytes(16), 1).encrypt(b"short")
        cipher = cryptolib.aes(bytes(16), 1)
        cipher.encrypt(bytes(16))
        with pytest.raises(ValueError):
            cipher.decrypt(bytes(16))


class TestFlash:
    @pytest.fixture(autouse=True)
    def image(self, tmp_path):
        self.path = tmp_path / "flash.img"
        self.path.write_bytes(b"\xff" * 32 * BLOCK_BYTES)
        bench.partitions["vfs"] = Flash(str(self.path))
        vfs.VfsLfs2.mkfs(esp32.Partition("vfs"))
        self.mount()
        yield
        vfs.mounted.clear()

    def mount(self):
        vfs.mounted.clear()
        vfs.mount(vfs.VfsLfs2(esp32.Partition("vfs")), "/lp")

    def code(self, function, *args):
        with pytest.raises(OSError) as caught:
            function(*args)
        return caught.value.args[0]

    def test_errors_are_micropythons(self):
        assert self.code(flash_os.open, "/lp/absent", "rb") == 2
        assert self.code(flash_os.open, "/etc/passwd", "rb") == 2
        assert self.code(flash_os.remove, "/lp/absent") == 2
        assert self.code(flash_os.stat, "/lp/absent") == 2
        flash_os.mkdir("/lp/folder")
        assert self.code(flash_os.mkdir, "/lp/folder") == 17
        assert self.code(flash_os.listdir, "/lp/absent") == 2

    def test_a_full_flash_is_enospc(self):
        def fill():
            with flash_os.open("/lp/big", "wb") as file:
                for _ in range(200):
                    file.write(bytes(4096))

        assert self.code(fill) == 28

    def test_what_is_closed_is_in_the_image(self):
        with flash_os.open("/lp/a.new", "wb") as file:
            file.write(b"content")
        flash_os.rename("/lp/a.new", "/lp/a")
        bench.partitions["vfs"] = Flash(str(self.path))
        self.mount()
        with flash_os.open("/lp/a", "rb") as file:
            assert file.read() == b"content"
        assert flash_os.listdir("/lp") == ["a"]
        assert flash_os.stat("/lp/a")[6] == 7

    @pytest.mark.parametrize("torn", ["none", "half", "all"])
    def test_a_power_cut_ends_what_runs_and_leaves_a_filesystem(self, torn):
        with flash_os.open("/lp/a", "wb") as file:
            file.write(b"before")
        for after in range(1, 20):
            bench.partitions["vfs"].cut(after, torn)
            try:
                with flash_os.open("/lp/a", "wb") as file:
                    file.write(b"%d" % after * 3000)
                break
            except PowerCut:
                with pytest.raises(PowerCut):  # it is dead until it is mounted anew
                    flash_os.remove("/lp/a")
            bench.partitions["vfs"] = Flash(str(self.path))
            self.mount()
            with flash_os.open("/lp/a", "rb") as file:
                assert file.read() in (b"before", *(b"%d" % n * 3000 for n in range(1, after + 1)))
        assert after > 3

    def test_what_is_no_filesystem(self):
        bench.partitions["vfs"] = Flash(blocks=32)
        assert self.code(vfs.VfsLfs2, esp32.Partition("vfs")) in (5, 22, 84)


class TestTls:
    def test_a_write_to_a_peer_that_has_gone_is_an_error(self):
        """Not 0 bytes: the firmware would try again until its deadline."""
        bench.start_s, bench.wifi_joined = 1_800_000_000, True
        machine.RTC().datetime((2027, 1, 15, 4, 8, 0, 0, 0))
        with _host_socket.create_server(("127.0.0.1", 0)) as server:
            sock = socket.socket()
            sock.connect(server.getsockname())
            sock.setblocking(False)
            stream = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).wrap_socket(
                sock, server_hostname="broker", do_handshake_on_connect=False
            )
            assert stream.write(b"x") is None  # the handshake has begun
            server.accept()[0].close()  # with our bytes unread, so by RST
            with pytest.raises(OSError):
                while stream.write(b"x") is None:
                    time.sleep(0.001)
        stream.close()
