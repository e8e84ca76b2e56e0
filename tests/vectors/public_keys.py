"""Keys of the public-key schemes, their signatures, and the check that the second reading makes.

Takes labels, gives keys that depend on nothing but the label, in the forms in which vendors publish them; signs the
same octets the same way every time (RFC 6979 for ECDSA). Needs PyPI `cryptography` 43 or later; without it
`AVAILABLE` is false, and the files in `NEEDED_BY` can be neither made nor judged.
"""

import base64
import functools
import hashlib
import math
from datetime import datetime, timezone

from common import derived

NEEDED_BY = ["discord", "telnyx", "sendgrid", "wechat-pay", "paypal", "aws-sns", "plaid", "ebay", "standard-webhooks-v1a"]

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
    from cryptography.x509.oid import NameOID
    ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    AVAILABLE = True
except (ImportError, TypeError):
    AVAILABLE = False

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SMALL_PRIMES = [p for p in range(3, 2000) if all(p % q for q in range(2, math.isqrt(p) + 1))]


def ed25519_key(label):
    return ed25519.Ed25519PrivateKey.from_private_bytes(derived(label, 32))


def p256_key(label):
    return ec.derive_private_key(int.from_bytes(derived(label, 40), "big") % (P256_ORDER - 1) + 1, ec.SECP256R1())


def is_prime(n):
    """Miller-Rabin with the first primes as bases: enough for numbers that nobody chose to deceive."""
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in SMALL_PRIMES[:20]:
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(label):
    n = int.from_bytes(derived(label, 128), "big") | 3 << 1022 | 1
    while not (n % 65537 != 1 and is_prime(n)):
        n += 2
    return n


@functools.cache
def rsa_key(label):
    """2048 bits. The primes come from the label: nobody but a test may trust such a key."""
    p, q, e = prime(label + " p"), prime(label + " q"), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q))
    return numbers.private_key()


def raw_public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def spki_der(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def spki_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def certificate(key, name):
    """A self-signed certificate that holds the public key, valid from 2025 to 2035."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1 | 1)
    builder = builder.not_valid_before(datetime(2025, 1, 1, tzinfo=timezone.utc)).not_valid_after(datetime(2035, 1, 1, tzinfo=timezone.utc))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def sign_ed25519(key, content):
    return key.sign(content)


def sign_p256(key, content, digest=None):
    return key.sign(content, ec.ECDSA(digest or hashes.SHA256(), deterministic_signing=True))


def sign_p256_sha1(key, content):
    return sign_p256(key, content, hashes.SHA1())


def sign_p256_raw(key, content):
    r, s = decode_dss_signature(sign_p256(key, content))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_rsa_sha256(key, content):
    return key.sign(content, padding.PKCS1v15(), hashes.SHA256())


def sign_rsa_sha1(key, content):
    return key.sign(content, padding.PKCS1v15(), hashes.SHA1())


def loaded(alg, text):
    """A public key from the form in which it is written in a secret or in `fetched_keys`."""
    if "BEGIN CERTIFICATE" in text:
        return x509.load_pem_x509_certificate(text.encode()).public_key()
    if "BEGIN PUBLIC KEY" in text:
        return serialization.load_pem_public_key(text.encode())
    raw = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    return ed25519.Ed25519PublicKey.from_public_bytes(raw) if alg == "ed25519" else serialization.load_der_public_key(raw)


def holds(alg, text, content, signature):
    """Whether `signature` is one of `content` by the key."""
    key = loaded(alg, text)
    try:
        if alg == "ed25519":
            key.verify(signature, content)
        elif alg == "p256 raw":
            signature = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif alg.startswith("p256"):
            key.verify(signature, content, ec.ECDSA(hashes.SHA1() if alg == "p256 sha1" else hashes.SHA256()))
        else:
            key.verify(signature, content, padding.PKCS1v15(), hashes.SHA1() if alg == "rsa-sha1" else hashes.SHA256())
    except InvalidSignature:
        return False
    return True
