"""The shape that most schemes share, and the cases that are made for each of them.

Takes one `Scheme` (what is signed, how the signature is written, where things stand) and gives the list of cases of
its file. The tables of schemes are in `table_*.py`; schemes of another shape have functions of their own there.
"""

import base64
import hashlib
import hmac
import json
import struct
import urllib.parse
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Callable

from common import ACCEPT, MALFORMED, MISMATCH, MISSING, NOW, REFUSED, REPEATED, STALE, Cases, b64, compact, derived, flip_first, flip_last, octets

DAY = 86400
NOTE = "\u00e9v\u00e9nement \u65e5\u672c\u8a9e \U0001f3ab \u202e\u0000 e\u0301 </script>"


# --------------------------------------------------------------------------- timestamps, as each vendor writes them

def seconds(t):
    return str(t)


def milliseconds(t):
    return str(t * 1000 + 250)


def _iso(t, form):
    return datetime.fromtimestamp(t, timezone.utc).strftime(form)


def rfc3339(t):
    return _iso(t, "%Y-%m-%dT%H:%M:%SZ")


def rfc3339_offset(t):
    """The same moment seven hours west of Greenwich, as Box writes it."""
    return _iso(t - 7 * 3600, "%Y-%m-%dT%H:%M:%S-07:00")


def rfc3339_nanoseconds(t):
    return _iso(t, "%Y-%m-%dT%H:%M:%S.634234626Z")


def iso_without_zone(t):
    return _iso(t, "%Y-%m-%dT%H:%M:%S.551")


# --------------------------------------------------------------------------- secrets: label -> (as written, the key)

def text(prefix=""):
    """The secret is the key, octet for octet."""
    def make(label):
        written = f"{prefix}hookbridge-test-{derived(label, 16).hex()}"
        return written, octets(written)
    return make


def whsec(label):
    key = derived(label, 32)
    return "whsec_" + b64(key), key


def hex_key(label):
    key = derived(label, 32)
    return key.hex().upper(), key


def base64_key(label):
    key = derived(label, 32)
    return b64(key), key


# --------------------------------------------------------------------------- signatures: octets and text

def mac(name):
    return lambda key, content: hmac.new(key, content, name).digest()


def lower_hex(data):
    return data.hex()


def upper_hex(data):
    return data.hex().upper()


def base64url_bare(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def base64_of_hex(data):
    return b64(data.hex().encode())


@dataclass(frozen=True)
class Request:
    """What is signed or sent. `ts` is the text that stands for the time."""
    body: bytes
    ts: bytes = b""
    id: bytes = b""
    query: str = ""
    base: str = ""
    method: bytes = b"POST"
    body_text: bytes = b""

    @property
    def url(self):
        return octets(self.base + ("?" + self.query if self.query else ""))


@dataclass(frozen=True)
class Scheme:
    name: str
    header: str
    content: Callable[[Request], bytes]
    event: Any                                   # the sample body: JSON, or octets
    sign: Callable = mac("sha256")               # key, content -> octets
    written: Callable = lower_hex                # octets -> text
    each: str = "{}"                             # one signature in its entry
    start: str = ""                              # what stands before the first; `{ts}` is the time
    join: str | None = None                      # between several; None: the grammar has one only
    secret: Callable = text()
    ts: Callable | None = None                   # seconds -> text
    ts_at: str | None = None                     # a header, "entry", or "body:/field"
    tolerance: int | None = None                 # seconds, where the vendor says so
    id: str | None = None                        # a signed id
    id_at: str | None = None                     # its header
    extra: list = field(default_factory=list)    # further headers
    message_id: str | None = None                # "h:Name", "j:a.b" or "f:Name" (form): where the id stands, where that is certain
    event_type: str | None = None
    public_url: bool = False
    parameters: dict | None = None
    method: str | None = None
    content_type: str | None = "application/json"
    fixed_length: bool = True                    # a signature of another length is malformed
    keyless: bool = False                        # the file's `fetched_keys` hold the key, and no secret is configured
    signs_body: bool = True
    ages: bool = True                            # an old timestamp is refused
    fetched_keys: dict | None = None
    more: Callable | None = None                 # further cases

    @property
    def base(self):
        return f"https://hooks.example.com/webhooks/{self.name}"


def in_json(value, path):
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value.get(part) if isinstance(value, dict) else None
        if value is None:
            return None
    return str(value) if isinstance(value, (str, int)) else None


class Maker:
    """Makes requests of one scheme and adds them to its cases."""

    def __init__(self, scheme):
        self.s = s = scheme
        source = {}
        if s.public_url:
            source["public_url"] = s.base
        if s.parameters:
            source["parameters"] = s.parameters
        self.out = Cases(s.name, source, s.fetched_keys)
        self.key, self.old, self.other = (s.secret(f"{s.name} {label}") for label in ("key", "old key", "foreign key"))
        self.plain = self.request(s.event)

    def request(self, event, at=NOW, query="", id=None):
        s = self.s
        ts = s.ts(at) if s.ts else ""
        if s.ts_at and s.ts_at.startswith("body:/"):
            event = event | {s.ts_at[len("body:/"):]: int(ts) if ts.isdigit() else ts}
        body = event if isinstance(event, bytes) else compact(event)
        return Request(body, octets(ts), octets(s.id if id is None else id) if s.id else b"", query, s.base, octets(s.method or "POST"))

    def octets_for(self, request, key=None):
        return self.s.sign((key or self.key)[1], self.s.content(request))

    def entry(self, request, key=None):
        return self.s.each.format(self.s.written(self.octets_for(request, key)))

    def value(self, entries, ts):
        start = self.s.start.format(ts=ts.decode()) if self.s.start else ""
        return start + (self.s.join or "").join(entries)

    def headers(self, value, sent):
        s = self.s
        out = [("content-type", s.content_type)] if s.content_type else []
        out += s.extra
        if s.id_at:
            out.append((s.id_at, sent.id.decode()))
        if s.ts_at and s.ts_at != "entry" and not s.ts_at.startswith("body:/"):
            out.append((s.ts_at, sent.ts.decode()))
        return out + [(s.header, value)]

    def expected(self, place, headers, body):
        if place is None:
            return None
        kind, where = place.split(":", 1)
        if kind == "h":
            return {n.lower(): v for n, v in headers}.get(where.lower())
        if kind == "f":
            return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"))).get(where)
        try:
            return in_json(json.loads(body), where)
        except ValueError:
            return None

    def put(self, name, verdict, headers, sent, secrets=None, key_index=None, several=False):
        secrets = [self.key] if secrets is None else secrets
        written = [] if self.s.keyless else [w for w, _ in secrets]
        message_id = event_type = None
        if verdict == ACCEPT:
            message_id = self.expected(self.s.message_id, headers, sent.body)
            event_type = self.expected(self.s.event_type, headers, sent.body)
            key_index = None if self.s.keyless else key_index or 0
        self.out.add(name, verdict, written, headers, sent.body, message_id, event_type, key_index, several, self.s.method, sent.query or None)

    def accept(self, name, signed, entries=None, **more):
        value = self.value(entries or [self.entry(signed)], signed.ts)
        self.put(name, ACCEPT, self.headers(value, signed), signed, **more)

    def refuse(self, name, verdict, signed, sent=None, entries=None, value=None, **more):
        sent = sent or signed
        if value is None:
            value = self.value(entries or [self.entry(signed)], sent.ts)
        self.put(name, verdict, self.headers(value, sent), sent, **more)

    def without(self, name, verdict, header, request=None):
        request = request or self.plain
        headers = self.headers(self.value([self.entry(request)], request.ts), request)
        kept = [h for h in headers if h[0].lower() != header.lower()]
        assert len(kept) < len(headers), name
        self.put(name, verdict, kept, request)

    def twice(self, name, header, other=None):
        request = self.plain
        headers = self.headers(self.value([self.entry(request)], request.ts), request)
        same = {n: v for n, v in headers}[header]
        self.put(name, REPEATED, headers + [(header, same if other is None else other)], request)


def noted(event):
    """The event with text that must survive octet for octet."""
    if isinstance(event, list):
        return [event[0] | {"hookbridge_note": NOTE}] + event[1:]
    return event | {"hookbridge_note": NOTE}


def accepted(m):
    s = m.s
    m.accept("plain", m.plain)
    if not isinstance(s.event, bytes) and s.signs_body:
        event = json.loads(m.plain.body)
        m.accept("body-unicode", replace(m.plain, body=compact(noted(event))))
        written = json.dumps(noted(event), indent=2).replace("/", "\\/").replace("\n", "\r\n") + "\r\n"
        m.accept("body-escapes-and-crlf", replace(m.plain, body=written.encode("ascii")))
    if not s.keyless:
        m.accept("secrets-second-matches", m.plain, secrets=[m.old, m.key], key_index=1)
    value = m.value([m.entry(m.plain)], m.plain.ts)
    m.put("header-names-lower-case", ACCEPT, [(n.lower(), v) for n, v in m.headers(value, m.plain)], m.plain)
    if s.join is not None:
        m.accept("several-signatures-first-matches", m.plain, entries=[m.entry(m.plain), m.entry(m.plain, m.other)])
        m.accept("several-signatures-last-matches", m.plain, entries=[m.entry(m.plain, m.other), m.entry(m.plain)])
        m.accept("several-signatures-old-secret", m.plain, entries=[m.entry(m.plain, m.other), m.entry(m.plain, m.old)], secrets=[m.key, m.old], key_index=1)
        m.refuse("several-signatures-none-matches", MISMATCH, m.plain, entries=[m.entry(m.plain, m.other), m.entry(m.plain, m.old)])


def altered(m):
    s, plain = m.s, m.plain
    if s.signs_body:
        for name, body in [("last-octet", flip_last(plain.body)), ("appended-newline", plain.body + b"\n"), ("emptied", b"")]:
            json_ts = s.ts_at is not None and s.ts_at.startswith("body:/")
            verdict = REFUSED if json_ts and name != "appended-newline" else MISMATCH
            m.refuse(f"body-altered-{name}", verdict, plain, replace(plain, body=body))
        m.refuse("body-of-another-request", MISMATCH, replace(plain, body=flip_first(plain.body)), plain)
    if not s.keyless:
        m.refuse("secret-several-none-matches", MISMATCH, plain, entries=[m.entry(plain, m.other)], secrets=[m.key, m.old])
    m.refuse("secret-wrong", MISMATCH, plain, entries=[m.entry(plain, m.other)])
    if s.public_url:
        queried = replace(plain, query="a=1&b=two%20words")
        m.accept("url-with-query", queried)
        m.refuse("url-query-altered", MISMATCH, queried, replace(queried, query="a=2&b=two%20words"))
        m.refuse("url-query-removed", MISMATCH, queried, plain)
        m.refuse("url-query-added", MISMATCH, plain, replace(plain, query="a=1"))
        m.refuse("url-of-another-host", MISMATCH, replace(plain, base=plain.base.replace("hooks.", "other.")), plain)
    if s.id_at and s.id:
        m.refuse("id-altered", MISMATCH, plain, replace(plain, id=plain.id + b"0"))
        m.without("id-missing", MISSING, s.id_at)
        m.twice("id-repeated", s.id_at)


def timed(m):
    s, plain = m.s, m.plain
    if s.ts is None:
        return
    if s.ages:
        m.refuse("timestamp-stale", STALE, m.request(s.event, NOW - DAY))
        m.refuse("timestamp-in-the-future", STALE, m.request(s.event, NOW + DAY))
    if s.tolerance:
        m.accept("timestamp-just-within-tolerance", m.request(s.event, NOW - s.tolerance + 2))
        m.refuse("timestamp-just-outside-tolerance", STALE, m.request(s.event, NOW - s.tolerance - 2))
    m.refuse("timestamp-altered", MISMATCH, plain, m.request(s.event, NOW - 1))
    if s.ts_at == "entry":
        m.refuse("timestamp-missing", REFUSED, plain, value=m.entry(plain))
        m.refuse("timestamp-not-a-time", REFUSED, replace(plain, ts=b"yesterday"))
        m.refuse("timestamp-empty", REFUSED, replace(plain, ts=b""))
    elif s.ts_at.startswith("body:/"):
        body = compact({k: v for k, v in json.loads(plain.body).items() if k != s.ts_at[len("body:/"):]})
        m.refuse("timestamp-missing", REFUSED, replace(plain, body=body))
    else:
        m.without("timestamp-missing", MISSING, s.ts_at)
        m.refuse("timestamp-not-a-time", MALFORMED, replace(plain, ts=b"yesterday"))
        m.refuse("timestamp-empty", MALFORMED, replace(plain, ts=b""))
        m.twice("timestamp-repeated", s.ts_at)


def misshapen(m):
    s, plain = m.s, m.plain
    of_length = MALFORMED if s.fixed_length else REFUSED
    good = m.octets_for(plain)

    def one(data):
        return [s.each.format(s.written(data))]

    m.without("signature-missing", MISSING, s.header)
    m.refuse("signature-empty", MALFORMED if s.ts_at != "entry" else REFUSED, plain, value="")
    m.refuse("signature-truncated", of_length, plain, entries=one(good[:-1]))
    m.refuse("signature-appended-octet", of_length, plain, entries=one(good + b"\x00"))
    m.refuse("signature-without-octets", REFUSED, plain, entries=one(b""))
    m.refuse("signature-one-bit", MISMATCH if s.fixed_length else REFUSED, plain, entries=one(flip_last(good)))
    m.refuse("signature-of-zeros", MISMATCH if s.fixed_length else REFUSED, plain, entries=one(bytes(len(good))))
    m.refuse("signature-doubled", REFUSED, plain, entries=[m.entry(plain) + s.written(good)])
    m.refuse("signature-not-in-the-alphabet", MALFORMED if s.fixed_length else REFUSED, plain, entries=[s.each.format("!" + s.written(good)[1:])])
    m.twice("signature-repeated", s.header)
    m.twice("signature-repeated-wrong-second", s.header, m.value([m.entry(plain, m.other)], plain.ts))
    if s.each != "{}":
        m.refuse("signature-label-missing", REFUSED, plain, entries=[s.written(good)])
    if s.each != "{}" and "/" not in s.each:
        m.refuse("signature-of-another-version", REFUSED, plain, entries=["v9" + m.entry(plain)])
    content = s.content(plain)
    if s.sign.__qualname__.startswith("mac."):
        m.refuse("signature-with-empty-key", MISMATCH, plain, entries=one(s.sign(b"", content)))
        plain_digest = {20: hashlib.sha1, 32: hashlib.sha256, 64: hashlib.sha512}[len(good)]
        m.refuse("signature-plain-digest", MISMATCH, plain, entries=one(plain_digest(content).digest()))
        weaker = "sha1" if len(good) != 20 else "md5"
        m.refuse("signature-of-a-shorter-hash", MALFORMED, plain, entries=one(hmac.new(m.key[1], content, weaker).digest()))


def build(scheme):
    m = Maker(scheme)
    accepted(m)
    altered(m)
    timed(m)
    misshapen(m)
    if scheme.more:
        scheme.more(m)
    return m.out


def stored_gzip(data):
    """gzip without compression, made by hand: the same octets with every version of every library."""
    length = struct.pack("<HH", len(data), len(data) ^ 0xFFFF)
    end = struct.pack("<II", zlib.crc32(data), len(data))
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"\x01" + length + data + end
