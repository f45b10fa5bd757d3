# SPDX-License-Identifier: MIT
"""MicroPython's `tls` with the abilities of a stock ESP32: TLS 1.2, certificates as bytes.

A certificate that is not accepted gives ValueError with mbedTLS's words, as MicroPython's port
does; other trouble of the handshake gives OSError with mbedTLS's number. Simulated time runs 1:1
with real time while the handshake waits.
"""

import os
import ssl
import tempfile

from simulator.hal.bench import bench, ticks_us

PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 0, 1
CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
_EPIPE, _ECONNRESET, _ETIMEDOUT = 32, 104, 110
_EXPIRED = "The certificate validity has expired"
_FUTURE = "The certificate validity starts in the future"
_AUTHORITY = "The certificate is not correctly signed by the trusted CA"
_NAME = "The certificate Common Name (CN) does not match with the expected CN"
_OTHER = "Other reason (can be used by verify callback)"
# OpenSSL's X509_V_ERR_…: what mbedTLS says of the same.
_WORDS = {9: _FUTURE, 10: _EXPIRED, 62: _NAME, 64: _NAME}
_WORDS.update(dict.fromkeys((2, 7, 18, 19, 20, 21, 24), _AUTHORITY))
_INVALID_RECORD, _CONNECTION_EOF, _UNEXPECTED_MESSAGE, _FATAL_ALERT = (
    -0x7200, -0x7280, -0x7700, -0x7780)  # fmt: skip


def _raise(err: OSError):
    """Raises what MicroPython would in place of CPython's error."""
    if isinstance(err, ssl.SSLCertVerificationError):
        raise ValueError(f"\n{_WORDS.get(err.verify_code, _OTHER)}\n") from None
    if isinstance(err, ssl.SSLError):
        reason = err.reason or ""
        if "_ALERT_" in reason:
            raise OSError(_FATAL_ALERT) from None
        wrong = "WRONG_VERSION" in reason or "HTTP" in reason
        raise OSError(_INVALID_RECORD if wrong else _UNEXPECTED_MESSAGE) from None
    if isinstance(err, TimeoutError):
        raise OSError(_ETIMEDOUT) from None
    raise OSError(err.errno or _ECONNRESET) from None


def _pem(data: bytes, label: str) -> str:
    if data.startswith(b"-----"):
        return data.decode()
    from base64 import encodebytes

    return f"-----BEGIN {label}-----\n{encodebytes(data).decode()}-----END {label}-----\n"


class SSLContext:
    """A client context; verify_mode is CERT_REQUIRED from the start. `verify_callback` is not
    called: OpenSSL has no such call for CPython, and takes no name from the subject here."""

    def __init__(self, protocol):
        if protocol != PROTOCOL_TLS_CLIENT:
            raise ValueError("only clients are simulated")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context.hostname_checks_common_name = False
        self.verify_callback = None

    @property
    def verify_mode(self) -> int:
        return int(self._context.verify_mode)

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.check_hostname = mode == CERT_REQUIRED
        self._context.verify_mode = ssl.VerifyMode(mode)

    def set_ciphers(self, ciphers):
        names = [name.removeprefix("TLS-").replace("-WITH-", "-") for name in ciphers]
        names = [name.replace("AES-128", "AES128").replace("AES-256", "AES256") for name in names]
        self._context.set_ciphers(":".join(names))

    def get_ciphers(self) -> list:
        return [cipher["name"] for cipher in self._context.get_ciphers()]

    def load_verify_locations(self, cadata):
        try:
            self._context.load_verify_locations(cadata=_pem(cadata, "CERTIFICATE"))
        except ssl.SSLError:
            raise ValueError("invalid cert") from None

    def load_cert_chain(self, cert, key):
        # OpenSSL takes files only: one that nobody else can read, for a moment.
        fd, path = tempfile.mkstemp()
        try:
            with os.fdopen(fd, "w") as file:
                file.write(_pem(cert, "CERTIFICATE") + _pem(key, "EC PRIVATE KEY"))
            self._context.load_cert_chain(path)
        except ssl.SSLError:
            raise ValueError("invalid cert or key") from None
        finally:
            os.unlink(path)

    def wrap_socket(
        self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None,
        client_id=None,
    ):  # fmt: skip
        if server_hostname is None and self.verify_mode == CERT_REQUIRED:
            raise ValueError("server_hostname is required")
        bench.check_certificate_dates()
        began_us = ticks_us()
        try:
            return _TlsStream(
                self._context.wrap_socket(
                    sock.host,
                    server_hostname=server_hostname,
                    do_handshake_on_connect=do_handshake_on_connect,
                )
            )
        except OSError as err:
            _raise(err)
        finally:
            bench.waited_since(began_us)


class _TlsStream:
    """A TLS connection with MicroPython's stream methods: None where nothing can be done now."""

    def __init__(self, stream):
        self._stream = stream

    def _waiting(self, function, *args):
        began_us = ticks_us()
        try:
            return function(*args)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            if not self._is_set_up():
                raise OSError(_CONNECTION_EOF) from None
            return b""
        except OSError as err:  # also of the handshake, which may be left to the first write
            _raise(err)
        finally:
            bench.waited_since(began_us)

    def _is_set_up(self) -> bool:
        try:
            self._stream.getpeercert()
        except ValueError:  # the handshake is not done
            return False
        return True

    def read(self, size=-1):
        return self._waiting(self._stream.recv, 16_384 if size < 0 else size)

    def readinto(self, buf, nbytes=None):
        count = self._waiting(self._stream.recv_into, buf, nbytes or len(buf))
        return 0 if count == b"" else count

    def write(self, data, length=None):
        count = self._waiting(self._stream.send, data if length is None else data[:length])
        if count == b"":
            raise OSError(_EPIPE)
        return count

    def pending(self) -> int:
        return self._stream.pending()

    def setblocking(self, flag):
        self._stream.setblocking(flag)

    def cipher(self):
        return self._stream.cipher()[:2]

    def getpeercert(self, binary_form=False):
        return self._stream.getpeercert(binary_form)

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self):
        self._stream.close()
