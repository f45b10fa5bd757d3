# SPDX-License-Identifier: MIT
"""MicroPython's `tls` with the abilities of a stock ESP32: TLS 1.2, certificates as bytes.

A certificate that is not accepted gives ValueError, as mbedTLS's port does; other trouble of the
handshake gives OSError. Simulated time runs 1:1 with real time while the handshake waits.
"""

import os
import ssl
import tempfile

from simulator.hal.bench import bench, ticks_us

PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 0, 1
CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
_EIO, _ECONNRESET, _ETIMEDOUT = 5, 104, 110


def _pem(data: bytes, label: str) -> str:
    if data.startswith(b"-----"):
        return data.decode()
    from base64 import encodebytes

    return f"-----BEGIN {label}-----\n{encodebytes(data).decode()}-----END {label}-----\n"


class SSLContext:
    """A client context; verify_mode is CERT_REQUIRED from the start."""

    def __init__(self, protocol):
        if protocol != PROTOCOL_TLS_CLIENT:
            raise ValueError("only clients are simulated")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2

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
        except ssl.SSLCertVerificationError:
            raise ValueError("the certificate is not accepted") from None
        except TimeoutError:
            raise OSError(_ETIMEDOUT) from None
        except (ssl.SSLError, OSError) as err:
            code = _EIO if isinstance(err, ssl.SSLError) else err.errno
            raise OSError(code or _ECONNRESET) from None
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
            return b""
        except ssl.SSLCertVerificationError:  # the handshake may be left to the first write
            raise ValueError("the certificate is not accepted") from None
        except ssl.SSLError:
            raise OSError(_EIO) from None
        except OSError as err:
            raise OSError(err.errno or _ETIMEDOUT) from None
        finally:
            bench.waited_since(began_us)

    def read(self, size=-1):
        return self._waiting(self._stream.recv, 16_384 if size < 0 else size)

    def readinto(self, buf, nbytes=None):
        count = self._waiting(self._stream.recv_into, buf, nbytes or len(buf))
        return 0 if count == b"" else count

    def write(self, data, length=None):
        count = self._waiting(self._stream.send, data if length is None else data[:length])
        if count == b"":  # the peer has gone: what reading tells by an end is an error here
            raise OSError(_ECONNRESET)
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
