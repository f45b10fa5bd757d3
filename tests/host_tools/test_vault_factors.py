# SPDX-License-Identifier: MIT
"""vault/factors.py and vault/passphrase.py: what opens a vault, and what does not count as it."""

import hashlib
import os
import random
import stat
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.vault import slots
from host_tools.vault.factors import KeyFile, make_key_file, read_key_file
from host_tools.vault.passphrase import check_strength, from_file, new_passphrase, read_passphrase
from tests.host_tools.vault_place import PASSPHRASE, Place

in_one_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_a_key_file_is_made_once_and_for_its_owner(tmp_path):
    path = tmp_path / "key"
    key = make_key_file(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == key
    assert path.read_text() == key.hex() + "\n"
    with pytest.raises(ToolError, match="there already"):
        make_key_file(path)
    assert read_key_file(path) == key
    with pytest.raises(ToolError, match="No such file"):
        make_key_file(tmp_path / "not-there" / "key")
    assert make_key_file(tmp_path / "other") != key


@in_one_folder
@given(st.integers(0, 10_000), st.sampled_from(["raw", "hex", "typed", "upper"]))
def test_a_key_is_read_however_it_is_written(tmp_path, seed, form):
    key = random.Random(seed).randbytes(32)
    text = key.hex()
    written = {
        "raw": key,
        "hex": text.encode(),
        "typed": (key.hex(" ", 4) + "\r\n").encode(),
        "upper": text.upper().encode() + b"\n",
    }
    path = put(tmp_path / "key", written[form])
    assert read_key_file(path) == key


def put(path, data):
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("data", [
    b"", b"\n", bytes(32), b"\xff" * 32, b"00" * 32, b"0123456789abcdef" * 4 + b"00", b"xyz",
    b"a passphrase of 32 characters!!!", bytes(range(31)), bytes(range(33)), b"ab" * 200,
    b"abababab" * 8, "ü".encode() * 32, hashlib.sha512(b"no key").digest(),
])  # fmt: skip
def test_what_is_no_key_is_refused(tmp_path, data):
    path = put(tmp_path / "key", data)
    with pytest.raises(ToolError, match="is not a key file"):
        read_key_file(path)


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "key"
    make_key_file(path)
    path.chmod(0o644)
    with pytest.raises(ToolError, match="can be read by others") as err:
        KeyFile(path).secret(bytes(32))
    assert "chmod 600" in err.value.hint
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(ToolError, match="is no file"):
        KeyFile(path).secret(bytes(32))


def test_of_two_that_make_a_key_file_one_does(tmp_path):
    def make(path):
        try:
            return make_key_file(path)
        except ToolError as err:
            assert "there already" in err.message
            return None

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            path = tmp_path / str(number)
            (made,) = filter(None, pool.map(make, [path] * 8))
            assert read_key_file(path) == made
            assert [one.name for one in tmp_path.glob(f"*{number}*")] == [path.name]


@in_one_folder
@given(st.binary(max_size=210))
def test_rubbish_is_an_error_or_a_key(tmp_path, data):
    path = put(tmp_path / "key", data)
    try:
        assert len(read_key_file(path)) == 32
    except ToolError as err:
        assert str(path) in err.message


def test_a_medium_that_is_not_there(tmp_path):
    for path in (tmp_path / "not-there", tmp_path):
        with pytest.raises(ToolError) as err:
            KeyFile(path).enrol()
        assert "medium" in err.value.hint


def test_each_salt_has_a_secret_of_its_own(tmp_path):
    key = KeyFile(tmp_path / "key")
    content = make_key_file(key.path)
    secrets = {key.secret(bytes([n]) * 32) for n in range(9)}
    assert len(secrets) == 9
    assert content not in secrets
    assert key.secret(bytes(32)) == KeyFile(key.path).secret(bytes(32))


@pytest.mark.parametrize("text", [
    "", "short words", "password1234", "aaaaaaaaaaaaaaaaaaaaaaaa", "qwertyuiop123",
    "lamppost vault", "passwordpasswordpassword", "x" * 500,
])  # fmt: skip
def test_what_is_easy_to_guess(text):
    with pytest.raises(ToolError) as err:
        check_strength(text)
    assert not text or text not in err.value.message + err.value.hint


@pytest.mark.parametrize("text", [
    "seven grey herons on the weir", "k7#Wq9!vTz2m", "Brücke Löwe Zange Regen", "word " * 3 +
    "then many others that follow it and are longer than zxcvbn takes at all in one single go",
])  # fmt: skip
def test_what_is_not(text):
    check_strength(text)


def written(folder, data: bytes, mode: int = 0o600):
    path = folder / "passphrase"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_passphrase_from_a_file(tmp_path, monkeypatch, end):
    path = written(tmp_path, " Brücke und Löwe ".encode() + end)
    assert from_file(path) == " Brücke und Löwe "
    monkeypatch.setenv("LAMPPOST_PASSPHRASE_FILE", str(path))
    assert read_passphrase(None) == " Brücke und Löwe "
    assert new_passphrase(path) == " Brücke und Löwe "


@pytest.mark.parametrize("data", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 2000, b"a\0b"])
def test_a_file_that_holds_no_passphrase(tmp_path, data):
    with pytest.raises(ToolError, match="holds no passphrase"):
        from_file(written(tmp_path, data))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_can_read(tmp_path, mode):
    with pytest.raises(ToolError, match="can be read by others"):
        from_file(written(tmp_path, b"seven grey herons", mode))


def test_a_pipe_will_do():
    reading, writing = os.pipe()
    os.write(writing, b"seven grey herons\n")
    os.close(writing)
    assert from_file(f"/dev/fd/{reading}") == "seven grey herons"
    os.close(reading)


def test_opening_takes_what_argon2id_takes_and_little_more(tmp_path):
    """In this process' own time, so that what else the machine does counts for nothing."""
    place = Place(tmp_path).fill()
    stretch = slots.Stretch(os.urandom(16))

    def cost(call) -> float:
        begin = time.process_time()
        call()
        return time.process_time() - begin

    place.open().close()
    alone, opening = [], []
    for _ in range(5):
        alone.append(cost(lambda: stretch.of(PASSPHRASE)))
        opening.append(cost(lambda: place.open().close()))
    assert statistics.median(opening) < 1.5 * statistics.median(alone)
