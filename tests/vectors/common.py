"""What the modules of this directory share: the clock, the verdicts, derived values and the list of cases of one file.

Takes labels and values, gives octets and JSON documents; knows no provider's scheme.
"""

import base64
import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
NOW = 1767225600  # 2026-01-01T00:00:00Z
TOLERANCE = 300
MAX_ENTRIES = 32
MAX_ID = 256
MIN_SECRET = 16
MAX_FILE = 1 << 20

ACCEPT = "accept"
MISSING = "signature_missing"
MALFORMED = "signature_malformed"
REPEATED = "header_repeated"
MISMATCH = "signature_mismatch"
STALE = "timestamp_outside_tolerance"
REFUSED = "refused"  # any of the refusals: which one is the reader's choice
# When a request has several defects, the first of this list is the verdict.
PRECEDENCE = [REPEATED, MISSING, MALFORMED, STALE, MISMATCH]

B64_STD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def b64(data):
    return base64.b64encode(data).decode("ascii")


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def derived(label, length):
    """`length` octets that depend on nothing but the label."""
    out, block = b"", 0
    while len(out) < length:
        out += hashlib.sha256(f"hookbridge test vector {label} {block}".encode()).digest()
        block += 1
    return out[:length]


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def flip_first(body):
    return bytes([body[0] ^ 1]) + body[1:]


def flip_last(body):
    return body[:-1] + bytes([body[-1] ^ 1])


def respaced(body):
    """The same JSON document, written differently."""
    out = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8")
    assert out != body
    return out


def sorted_keys(body):
    out = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode("utf-8")
    assert out != body
    return out


def padded_to(event, size):
    """A JSON body of exactly `size` octets."""
    filling = "0123456789abcdef" * (size // 16)
    excess = len(compact({**event, "padding": filling})) - size
    out = compact({**event, "padding": filling[:-excess]})
    assert len(out) == size
    return out


def non_canonical(sig_b64):
    """The same 32 octets, with one of the two unused trailing bits set."""
    assert len(sig_b64) == 44 and sig_b64.endswith("=")
    last = B64_STD.index(sig_b64[42])
    assert last % 4 == 0
    return sig_b64[:42] + B64_STD[last | 1] + "="


class Cases:
    """The cases of one file. `source` and `fetched_keys` are the file's optional members of those names."""

    def __init__(self, provider, source=None, fetched_keys=None):
        self.provider, self.cases, self.several = provider, [], set()
        self.source, self.fetched_keys = source, fetched_keys

    def add(self, name, verdict, secrets, headers, body, message_id=None, event_type=None, key_index=None, several=False, method=None, query=None):
        """`several`: the request has more than one defect. `method` (else POST) and `query` (else none) are left out where usual."""
        assert name not in [c["name"] for c in self.cases], name
        case = {"name": name, "secrets": list(secrets), "headers": [list(h) for h in headers]}
        optional = {"method": method, "query": query, "body_base64": b64(body), "verdict": verdict}
        optional |= {"message_id": message_id, "event_type": event_type, "key_index": key_index}
        case |= {k: v for k, v in optional.items() if v is not None}
        assert verdict == ACCEPT or not {"message_id", "event_type", "key_index"} & set(case), name
        if several:
            self.several.add(name)
        self.cases.append(case)

    def document(self):
        out = {"provider": self.provider, "now": NOW}
        if self.source:
            out["source"] = self.source
        if self.fetched_keys:
            out["fetched_keys"] = self.fetched_keys
        return out | {"cases": self.cases}
