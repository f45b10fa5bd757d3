# SPDX-License-Identifier: MIT
"""Writes the vectors beside this file, from fixed keys: the same bytes each time.

    python -m tests.vectors.generate

They come from tests/host_tools/reference_*.py and pyhsslms, so that firmware and host tools
are each held against an implementation that shares no line with them. All bytes are hex.
"""

import datetime
import hashlib
import json
from pathlib import Path
from unittest.mock import patch

import cbor2
import pyhsslms.pyhsslms as hss
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.host_tools import reference_drbg
from tests.host_tools import reference_sealer as ref
from tests.vectors import rfc_8554

FOLDER = Path(__file__).parent
NODES = ("0123456789", "abcdefghjk", "zyxwvtsrqp")
NOON = 1_772_366_400  # 2026-03-01 12:00 UTC
DAY0 = 20_500
# The lengths at which CCM's first block, the AAD's block and the text's blocks turn over.
SIZES = (0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 200, 255, 256, 257, 1000)
COUNTERS = (0, 1, 2, 127, 255, 256, 65_535, 65_536, 2**24 - 1, 2**24, 2**31, 2**32 - 1, 2**32,
            2**40 - 1)  # fmt: skip

TERMS = hashlib.sha256(b"terms").digest()
AIR = ref.dumps(["lp1 policy", "air-street", 1, "air", 20_000, 25_000, [
    [1, "pm2_5_ngm3", 300, ["mean", "max"], 100, 0, 500_000, 0, None],
    [3, "co2_ppm", 300, ["mean", "count"], 10, 350, 5000, 0, None],
    [4, "temperature_mc", 300, ["mean", "min", "max"], 100, -40_000, 60_000, 0, None],
    [6, "pressure_pa", 900, ["last"], 10, 80_000, 110_000, 0, None],
], TERMS])  # fmt: skip
TRAFFIC = ref.dumps(["lp1 policy", "traffic-street", 7, "traffic", 20_000, 25_000, [
    [1, "vehicles", 900, ["sum"], 1, 0, 5000, 0, None],
    [200, "people_leftward", 86_400, ["sum"], 5, 0, 10_000, 0, None],
], TERMS])  # fmt: skip


def some(name: str, size: int) -> bytes:
    """`size` bytes that depend on the name alone."""
    return hashlib.shake_256(name.encode()).digest(size)


def hkdf() -> list:
    """The SHA-256 cases of RFC 5869, appendix A, and this project's derivations."""
    cases = [
        ("RFC 5869 A.1", b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42),
        ("RFC 5869 A.2", bytes(range(80)), bytes(range(0x60, 0xB0)), bytes(range(0xB0, 256)), 82),
        ("RFC 5869 A.3", b"\x0b" * 22, b"", b"", 42),
    ]
    for node_id in NODES:
        for label in ("lp1 seal", "lp1 receipt", "lp1 command"):
            info = (label + node_id).encode()
            cases.append((f"{label} of {node_id}", some("root" + node_id, 32), b"", info, 32))
    return [
        {
            "name": name, "ikm": ikm.hex(), "salt": salt.hex(), "info": info.hex(),
            "length": length, "okm": HKDF(SHA256(), length, salt, info).derive(ikm).hex(),
        }
        for name, ikm, salt, info, length in cases
    ]  # fmt: skip


def ccm() -> list:
    """AES-CCM with 32-byte keys, 13-byte nonces and 16-byte tags."""
    sizes = [(size, 60) for size in SIZES] + [(40, size) for size in SIZES if size]
    sizes += [(size, 1) for size in SIZES] + [(1500, 300), (4096, 14), (16, 300)]
    vectors = []
    for text_size, aad_size in sizes:
        name = f"ccm {text_size} {aad_size}"
        key, nonce = some("key" + name, 32), some("nonce" + name, 13)
        text, aad = some("text" + name, text_size), some("aad" + name, aad_size)
        vectors.append({
            "key": key.hex(), "nonce": nonce.hex(), "aad": aad.hex(), "plaintext": text.hex(),
            "ciphertext": AESCCM(key, 16).encrypt(nonce, text, aad).hex(),
        })  # fmt: skip
    return vectors


def seal_chain() -> list:
    """Seals, with and without what is mixed in; series, and the keys of a series."""
    vectors = []
    for node_id in NODES:
        seal_0 = ref.derive(some("root" + node_id, 32), "lp1 seal", node_id)
        for epoch, mixed in (
            (0, ()), (1, ()), (2, ()), (30, ()), (366, ()),
            (1, (1,)), (2, (1,)), (2, (2,)), (2, (3,)), (30, (2, 3, 29, 30)), (366, (1, 365, 367)),
        ):  # fmt: skip
            random, boots, newest = some(f"random {node_id} {epoch}", 32), epoch + 1, epoch * 288
            series = ref.series_of(random, boots, newest)
            mixes = [(at, some(f"mix {node_id} {at}", 32)) for at in mixed]
            seal = ref.seal_at(seal_0, epoch, mixes)
            key, base_iv = ref.series_keys(seal, series)
            vectors.append({
                "seal_0": seal_0.hex(), "epoch": epoch, "seal": seal.hex(),
                "mixes": [[at, a.hex()] for at, a in mixes],
                "random": random.hex(), "boots": boots, "newest_number": newest,
                "series": series.hex(), "key": key.hex(), "base_iv": base_iv.hex(),
            })  # fmt: skip
    return vectors


def _records(policy: bytes, instant_s: int | None, end: int | None) -> list:
    """The records due then, each value at the low (0) or high (1) end of its range, or null."""
    records = []
    for number, _, window_s, statistics, resolution, low, high, *_ in cbor2.loads(policy)[6]:
        if instant_s is not None and instant_s % window_s == 0:
            record = [number, instant_s // window_s - 1]
            for statistic in statistics:
                steps = ref.rounded(low, resolution), ref.rounded(high, resolution)
                if statistic == "count":
                    steps = 0, ref.COUNT_MAX
                record.append(None if end is None else steps[end])
            records.append(record)
    return records


def envelope() -> list:
    """Envelopes of varied nodes, policies, epochs, counters and instants."""
    vectors = []
    for index, counter in enumerate(COUNTERS * 2):
        node_id, policy = NODES[index % 3], (AIR, TRAFFIC)[index % 2]
        instant_s = (None, NOON, NOON + 900, NOON - NOON % 86_400)[index % 4]
        epoch = (0, 1, 255, 256)[index % 4] if index % 5 else index
        number, floor = (1, 24, 255, 65_536, 2**32 - 1)[index % 5], 1 + index % 2 * (index % 5)
        floor = min(floor, number)
        records = _records(policy, instant_s, (None, 0, 1)[index % 3])
        log, series = some(f"log {index}", 4), some(f"series {index}", 8)
        root = some("root" + node_id, 32)
        seal = ref.seal_at(ref.derive(root, "lp1 seal", node_id), epoch)
        key, base_iv = ref.series_keys(seal, series)
        plaintext = ref.padded(policy, log, number, floor, records, instant_s)
        sealed = ref.envelope(node_id, policy, seal, epoch, series, counter, plaintext)
        vectors.append({
            "node": node_id, "root": root.hex(), "policy": policy.hex(),
            "policy_digest": hashlib.sha256(policy).hexdigest(), "epoch": epoch,
            "seal": seal.hex(), "series": series.hex(), "counter": counter, "key": key.hex(),
            "nonce": ref.nonce(base_iv, counter).hex(), "log": log.hex(), "number": number,
            "floor": floor, "instant_s": instant_s, "records": records,
            "plaintext": plaintext.hex(), "envelope": sealed.hex(),
        })  # fmt: skip
    return vectors


def receipt() -> list:
    """Receipts."""
    facts = [
        (0, 0, []), (NOON, 1, []), (NOON, 23, [[25, 25]]), (NOON + 1, 24, [[26, 300]]),
        (2**32 - 1, 2**32 - 2, []), (NOON, 255, [[257, 65_535], [65_537, 2**32 - 1]]),
        (NOON, 0, [[2 * n, 2 * n] for n in range(1, 17)]),
    ]  # fmt: skip
    vectors = []
    for index, (time_s, upto, ranges) in enumerate(facts):
        for node_id in NODES:
            key = ref.derive(some("root" + node_id, 32), "lp1 receipt", node_id)
            iv, log = some(f"iv {index} {node_id}", 13), some(f"log {index}", 4)
            fields = [time_s, log, upto, ranges]
            vectors.append({
                "node": node_id, "key": key.hex(), "iv": iv.hex(), "time_s": time_s,
                "log": log.hex(), "upto": upto, "ranges": ranges,
                "message": ref.down(b"r", key, node_id, "receipt", iv, fields).hex(),
            })  # fmt: skip
    return vectors


def command() -> list:
    """Commands: resend, and one that no node knows."""
    facts = [
        (1, "resend", [1]), (2, "resend", [24]), (255, "resend", [0]),
        (65_536, "resend", [65_536]), (2**32 - 1, "resend", [2**32 - 1]), (7, "unheard of", []),
    ]  # fmt: skip
    vectors = []
    for index, (number, verb, arguments) in enumerate(facts):
        for node_id in NODES:
            key = ref.derive(some("root" + node_id, 32), "lp1 command", node_id)
            iv, log = some(f"command iv {index} {node_id}", 13), some(f"log {index}", 4)
            fields = [number, verb, *([log, *arguments] if arguments else [])]
            vectors.append({
                "node": node_id, "key": key.hex(), "iv": iv.hex(), "number": number,
                "verb": verb, "log": log.hex() if arguments else None, "arguments": arguments,
                "message": ref.down(b"c", key, node_id, "command", iv, fields).hex(),
            })  # fmt: skip
    return vectors


def certificate() -> list:
    """Certificates of nodes, each with its key; and as commands bring it, in two parts."""
    vectors = []
    for serial, (name, node_id, authority) in enumerate((
        ("provisioned", NODES[0], "authority"), ("second", NODES[0], "authority"),
        ("third", NODES[0], "authority"), ("fourth", NODES[0], "authority"),
        ("by another authority", NODES[0], "another"), ("of another node", NODES[1], "authority"),
    )):  # fmt: skip
        pair = _issued(node_id, name, authority)
        content = ref.dumps(list(pair))
        tag, key = hashlib.sha256(content).digest()[:8], ref.derive(
            some("root" + node_id, 32), "lp1 command", node_id)  # fmt: skip
        parts = []
        for at in range(0, len(content), 320):
            fields = [0, "certificate", serial, tag, len(content), at, content[at : at + 320]]
            iv = some(f"certificate iv {name} {at}", 13)
            message = ref.down(b"c", key, node_id, "command", iv, fields)
            parts.append({"iv": iv.hex(), "at": at, "message": message.hex()})
        vectors.append({
            "name": name, "node": node_id, "key": key.hex(), "serial": serial,
            "authority": _issued("authority", "authority", "authority")[0].hex(),
            "certificate": pair[0].hex(), "private": pair[1].hex(), "tag": tag.hex(),
            "content": content.hex(), "parts": parts,
        })  # fmt: skip
    return vectors


def _issued(node_id: str, name: str, authority: str) -> tuple[bytes, bytes]:
    """(certificate, private key), both DER."""
    key, issuer = (
        ec.derive_private_key(int.from_bytes(some(f"EC {one}", 31)), ec.SECP256R1())
        for one in (name, authority)
    )
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, node_id)]
    begin = datetime.datetime(2026, 1, 1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(some(f"serial {name}", 15)))
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=7300))
        .add_extension(x509.BasicConstraints(name == authority, None), critical=True)
        .sign(issuer, SHA256(), ecdsa_deterministic=True)
    )
    private = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return signed.public_bytes(Encoding.DER), private


def policy_length() -> list:
    """The length to which every plaintext of an instant is padded."""
    midnight = NOON - NOON % 86_400
    return [
        {
            "policy": policy.hex(), "digest": hashlib.sha256(policy).hexdigest(),
            "instant_s": instant_s, "closing": [
                stream[0] for stream in cbor2.loads(policy)[6]
                if instant_s is not None and instant_s % stream[2] == 0
            ],
            "length": ref.padded_length(policy, instant_s),
        }
        for policy in (AIR, TRAFFIC)
        for instant_s in (None, NOON, NOON + 1, NOON + 300, NOON + 900, midnight)
    ]  # fmt: skip


def signed_policy() -> list:
    """Rules and their signatures by pyhsslms; the first is the key. Each name says what is right
    or wrong with one for an air node that measures CO2 each 30 s, on 2026-03-01."""
    seed, identifier = some("policy seed", 32), some("policy identifier", 16)
    key = hss.LmsPrivateKey(hss.lms_sha256_m32_h10, hss.lmots_sha256_n32_w4, seed, identifier)
    vectors = [{"name": "key", "signed": (hss.u32(1) + key.publicKey().serialize()).hex()}]
    for name, version, kit, days, quantity, window_s in (
        ("version 1", 1, "air", (20_000, 25_000), "co2_ppm", 300),
        ("version 2", 2, "air", (20_000, 25_000), "co2_ppm", 900),
        ("version 3, from 2026-03-11", 3, "air", (20_523, 25_000), "co2_ppm", 300),
        ("another kit", 9, "energy", (20_000, 25_000), "co2_ppm", 300),
        ("not measured", 9, "air", (20_000, 25_000), "vehicles", 300),
        ("between samples", 9, "air", (20_000, 25_000), "co2_ppm", 45),
        ("ended", 9, "air", (20_000, 20_100), "co2_ppm", 300),
        ("not a policy", 0, "air", (20_000, 25_000), "co2_ppm", 300),
        ("version 4, masked", 4, "air", (20_000, 25_000), "co2_ppm", 300),
    ):
        stream = [1, quantity, window_s, ["mean"], 10, 350, 5000, 0, None]
        if "masked" in name:
            stream = [1, quantity, window_s, ["count", "sum"], 10, 350, 5000, 0, None, []]
        rules = ref.dumps(["lp1 policy", "t", version, kit, *days, [stream], TERMS])
        randomizer = some(f"policy C {name}", 32)
        with patch.object(hss, "randBytes", lambda size, bytes_=randomizer: bytes_[:size]):
            signature = hss.u32(0) + key.sign(rules)
        vectors.append({"name": name, "signed": (rules + signature).hex()})
    return vectors


def drbg() -> list:
    """Requests to HMAC-DRBG: NIST's own, of which the second answer counts, and others."""
    vectors = [
        {"name": f"CAVP {n}", "seed": entropy + nonce, "answers": [[128, None], [128, bits]]}
        for n, (entropy, nonce, bits) in enumerate(reference_drbg.CAVP)
    ]
    for size, lengths in ((32, (1, 32, 33)), (33, (0, 31, 64, 65)), (100, (500,) * 3)):
        seed = some(f"drbg {size}", size)
        answers = zip(lengths, reference_drbg.answers(seed, lengths), strict=True)
        vectors.append({
            "name": f"a seed of {size}", "seed": seed.hex(),
            "answers": [[length, answer.hex()] for length, answer in answers],
        })  # fmt: skip
    return vectors


def lms() -> list:
    """LMS signatures with H10 and W4: the one of RFC 8554, appendix F, and pyhsslms's. Each is
    the only level of HSS, so the RFC's key and signature get the number of levels in front."""
    signature = bytes(4) + bytes.fromhex(rfc_8554.SIGNATURE)
    vectors = [{
        "name": "RFC 8554 F.2, upper level", "seed": rfc_8554.SEED,
        "identifier": rfc_8554.IDENTIFIER, "leaf": 3, "randomizer": signature[12:44].hex(),
        "public_key": "000000010000000600000003" + rfc_8554.IDENTIFIER + rfc_8554.ROOT,
        "message": bytes.fromhex(rfc_8554.MESSAGE).hex(), "signature": signature.hex(),
    }]  # fmt: skip
    seed, identifier = some("lms seed", 32), some("lms identifier", 16)
    key = hss.LmsPrivateKey(hss.lms_sha256_m32_h10, hss.lmots_sha256_n32_w4, seed, identifier)
    for leaf, size in ((0, 0), (1, 1), (2, 3000), (511, 64), (512, 200), (1023, 1000)):
        message, randomizer = some(f"lms {leaf}", size), some(f"lms C {leaf}", 32)
        key.q = leaf
        with patch.object(hss, "randBytes", lambda size, bytes_=randomizer: bytes_[:size]):
            signature = hss.u32(0) + key.sign(message)
        vectors.append({
            "name": f"pyhsslms, leaf {leaf}", "seed": seed.hex(), "identifier": identifier.hex(),
            "leaf": leaf, "randomizer": randomizer.hex(),
            "public_key": (hss.u32(1) + key.publicKey().serialize()).hex(),
            "message": message.hex(), "signature": signature.hex(),
        })  # fmt: skip
    return vectors


def _mask_blocks(seed: bytes, count: int) -> list[bytes]:
    """Key stream blocks of AES-CCM, as zeros that are sealed show them."""
    text = AESCCM(seed, 16).encrypt(bytes(13), bytes(16 * count), None)
    return [text[at : at + 16] for at in range(0, 16 * count, 16)]


def _mask_leaf(root: bytes, index: int) -> bytes:
    for bit in f"{index:024b}":
        root = _mask_blocks(root, 2)[int(bit)]
    return root


def _mask_pads(leaf: bytes, count: int) -> list[int]:
    halves = [(block[:8], block[8:]) for block in _mask_blocks(leaf, count)]
    return [int.from_bytes(a, "big") ^ int.from_bytes(b, "big") for a, b in halves]


def mask() -> list:
    """Leaves of a masked stream's tree, the pads of their elements, and masked values."""
    vectors = []
    for number, (first, last, values) in enumerate((
        (0, 1, [0]), (0, 2**24 - 1, [1]), (1, 2, [2**63 - 1]), (2**23 - 1, 2**23, [-1]),
        (5, 6, [-(2**63)]), (1440, 2880, [40, 123_456]), (29, 300, [40, -800, 16_000]),
        (2**24 - 2, 2**24 - 1, list(range(65))), (44_640, 44_655, [1] * 67),
    )):  # fmt: skip
        root = some(f"mask {number}", 16)
        pads = [_mask_pads(_mask_leaf(root, leaf), len(values)) for leaf in (first, last)]
        masked = [(m + a - b) % 2**64 for m, a, b in zip(values, *pads, strict=True)]
        vectors.append({
            "root": root.hex(), "first": first, "last": last, "values": values,
            "leaf": _mask_leaf(root, first).hex(), "pads": [f"{pad:016x}" for pad in pads[0]],
            "masked": b"".join(c.to_bytes(8, "big") for c in masked).hex(),
        })  # fmt: skip
    return vectors


FILES = {
    "hkdf": hkdf, "ccm": ccm, "seal_chain": seal_chain, "envelope": envelope, "receipt": receipt,
    "command": command, "policy_length": policy_length, "lms": lms, "signed_policy": signed_policy,
    "drbg": drbg, "mask": mask, "certificate": certificate,
}  # fmt: skip


def text(name: str) -> str:
    """The content of one file."""
    lines = ",\n".join(json.dumps(vector) for vector in FILES[name]())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / f"{name}.json").write_text(text(name))
