#!/usr/bin/env python3
"""Writes the signature test vectors of this directory, one JSON file per preset.

    python3 generate.py           write the files
    python3 generate.py --check   write nothing; exit 1 if a committed file differs

Nothing here is shared with the Rust code. Every value is derived from a fixed label, so the output is the same on
every run. Each case states its verdict by hand; before anything is written, a second, separate reading of the rules
must come to the same one. `official/` is only read.

The seven hand-written presets are below, with `defects` as their second reading, which must also find only one
defect unless the case is marked as having several. All others come from the tables: `table_hmac.py`,
`table_native.py` and, with PyPI `cryptography`, `table_keys.py`, with `reading.py` and `reading_native.py` as their
second reading. Without `cryptography` the files of `table_keys.py` are passed over, which is said.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True  # the modules beside this one are run from the tree
import public_keys
import reading
import reading_native
import scheme
import table_hmac
import table_native
from common import (
    ACCEPT, Cases, HERE, MALFORMED, MAX_ENTRIES, MAX_FILE, MAX_ID, MIN_SECRET, MISMATCH, MISSING, NOW, PRECEDENCE,
    REPEATED, STALE, TOLERANCE, b64, compact, derived, flip_first, flip_last, non_canonical, octets, padded_to, respaced, sorted_keys,
)

# --------------------------------------------------------------------------- Standard Webhooks family

STANDARD = {
    "standard-webhooks": {
        "headers": ("webhook-id", "webhook-timestamp", "webhook-signature"),
        "event": {"type": "contact.created", "timestamp": "2025-12-31T23:59:58.344522Z", "data": {"id": "1f81eb52-5198-4599-803e-771906343485"}},
    },
    "svix": {
        "headers": ("svix-id", "svix-timestamp", "svix-signature"),
        "event": {"type": "invoice.paid", "timestamp": "2025-12-31T23:59:58Z", "data": {"id": "in_1c3pDQ", "total": 1999}},
    },
    "allfly": {
        "headers": ("svix-id", "svix-timestamp", "svix-signature"),
        "event": {"type": "event_attendee.joined_event", "data": {"event_id": "evn_51", "attendee_id": "att_9007"}},
        "extra": [("X-Environment", "staging")],
    },
    "eventsair": {
        "headers": ("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"),
        "event": {
            "type": "Event.Registration.Created",
            "data": {
                "eventId": "0b8f6f0e-6a5c-4f57-8a4e-6d5b8c1f2a90",
                "registrationId": "5e1d7c3a-92b4-4c0d-b7f1-3a8e9d2c6b54",
                "timestamp": "2025-12-31T23:59:58Z",
                "correlationId": "c7a1e2d4-1f3b-4b6a-9e8d-0c5f7a6b4d21",
            },
        },
    },
    "wristband": {
        "headers": ("svix-id", "svix-timestamp", "svix-signature"),
        "event": {"type": "user.created", "timestamp": "2025-12-31T23:59:58Z", "data": {"userId": "ozssi4qhejgepn7bkaj3pzoaxa"}},
    },
}

UNICODE_NOTE = "\u00e9v\u00e9nement \u65e5\u672c\u8a9e \U0001f3ab \u202e\u0000 e\u0301"


def standard_mac(key, msg_id, ts, body, digest=hashlib.sha256):
    return hmac.new(key, octets(msg_id) + b"." + octets(str(ts)) + b"." + body, digest).digest()


def standard(provider):
    conf = STANDARD[provider]
    h_id, h_ts, h_sig = conf["headers"]
    extra = conf.get("extra", [])
    svix = h_id.lower() == "svix-id"
    event = conf["event"]
    etype = event["type"]
    body = compact(event)
    out = Cases(provider)

    def whsec(key):
        return "whsec_" + b64(key)

    key = derived(f"{provider} key", 32)
    old_key = derived(f"{provider} old key", 24)
    other_key = derived(f"{provider} foreign key", 32)
    secret, old_secret = whsec(key), whsec(old_key)

    def msg(label):
        return "msg_" + derived(f"{provider} id {label}", 14).hex()[:27]

    mid = msg("plain")

    def sig(body=body, msg_id=mid, ts=NOW, key=key):
        return "v1," + b64(standard_mac(key, msg_id, ts, body))

    def filler(n, label="v1"):
        return f"{label}," + b64(derived(f"{provider} filler {n}", 32))

    def headers(signature, msg_id=mid, ts=NOW):
        return [*extra, ("content-type", "application/json"), (h_id, msg_id), (h_ts, str(ts)), (h_sig, signature)]

    def accept(name, headers, body=body, secrets=(secret,), msg_id=mid, key_index=0, event_type=etype):
        out.add(name, ACCEPT, secrets, headers, body, msg_id, event_type, key_index)

    def refuse(name, verdict, headers, body=body, secrets=(secret,), several=False):
        out.add(name, verdict, secrets, headers, body, several=several)

    good = sig()
    good64 = good[len("v1,"):]

    # Accepted bodies.
    accept("plain", headers(good))
    bodies = [
        ("body-empty-object", b"{}", None),
        ("body-no-octets", b"", None),
        ("body-unicode", compact({**event, "note": UNICODE_NOTE}), etype),
        ("body-unicode-escaped", json.dumps({**event, "note": UNICODE_NOTE}).encode("ascii"), etype),
        ("body-crlf", json.dumps(event, indent=2).replace("\n", "\r\n").encode(), etype),
        ("body-trailing-newline", body + b"\n", etype),
        ("body-leading-and-trailing-space", b" \t" + body + b"  ", etype),
        ("body-nul-after-json", body + b"\x00", None),
        ("body-64-kib", padded_to(event, 65536), etype),
        ("body-every-octet", bytes(range(256)), None),
        ("body-not-utf8", b'{"type":"\xff\xfe\x80"}', None),
        ("body-not-json", b"a=1&b=2", None),
        ("body-has-dots", b"1.2.3." + body, None),
    ]
    for name, b, t in bodies:
        accept(name, headers(sig(b), ts=NOW), b, event_type=t)

    # Accepted headers.
    upper = [(n.upper(), v) for n, v in headers(good)]
    accept("header-names-upper-case", upper)
    accept("header-order-reversed", list(reversed(headers(good))))
    accept("id-one-octet", headers(sig(msg_id="1"), "1"), msg_id="1")
    odd = "!#$%&'()*+,-/:;<=>?@[]^_`{|}~\"\\"
    accept("id-printable-punctuation", headers(sig(msg_id=odd), odd), msg_id=odd)
    longest = "m" * MAX_ID
    accept("id-256-octets", headers(sig(msg_id=longest), longest), msg_id=longest)

    # Lists.
    accept("list-valid-last", headers(" ".join([filler(0), filler(1), good])))
    accept("list-valid-first", headers(" ".join([good, filler(0), filler(1)])))
    accept("list-valid-twice", headers(f"{good} {good}"))
    accept("list-32-entries-valid-last", headers(" ".join([filler(n) for n in range(31)] + [good])))
    accept("list-other-labels-ignored", headers(" ".join(["v1a," + b64(derived(f"{provider} ed25519", 64)), filler(0, "v2"), good])))
    accept("list-other-labels-undecodable", headers(f"v2,%%% v1a, {good}"))
    accept("list-malformed-beside-valid", headers(" ".join(["v1,", "v1,%%%", "v1," + good64[:40], "v1," + good64[:-1], good])))
    accept("list-malformed-after-valid", headers(f"{good} v1,"))

    # Secrets.
    accept("secrets-second-matches", headers(good), secrets=[old_secret, secret], key_index=1)
    accept("secrets-third-matches", headers(good), secrets=[whsec(other_key), old_secret, secret], key_index=2)
    rotation = f"{good} {sig(key=old_key)}"
    accept("rotation-both-signed-receiver-has-new", headers(rotation), secrets=[secret])
    accept("rotation-both-signed-receiver-has-old", headers(rotation), secrets=[old_secret])
    accept("rotation-both-signed-receiver-has-both", headers(rotation), secrets=[secret, old_secret], key_index=None)
    accept("rotation-old-signature-only", headers(sig(key=old_key)), secrets=[secret, old_secret], key_index=1)
    accept("rotation-new-signature-only", headers(good), secrets=[secret, old_secret])
    for n in (16, 64, 100):
        k = derived(f"{provider} key of {n} octets", n)
        accept(f"secret-{n}-octets", headers(sig(key=k)), secrets=[whsec(k)])
    accept("secret-without-padding", headers(good), secrets=[secret.rstrip("=")])
    k = b"\xff\xef\xfb" * 11 + b"\xfe"
    assert "+" in whsec(k) and "/" in whsec(k)
    accept("secret-with-plus-and-slash", headers(sig(key=k)), secrets=[whsec(k)])

    # Timestamps.
    for delta in (-300, -299, -1, 1, 299, 300):
        accept(f"timestamp-{'minus' if delta < 0 else 'plus'}-{abs(delta)}", headers(sig(ts=NOW + delta), ts=NOW + delta))
    for delta in (-86400, -301, 301, 86400):
        refuse(f"timestamp-{'minus' if delta < 0 else 'plus'}-{abs(delta)}", STALE, headers(sig(ts=NOW + delta), ts=NOW + delta))
    for name, ts in [("1", "1"), ("12-digits", "999999999999"), ("12-digits-of-milliseconds", str(NOW * 1000)[:12])]:
        refuse(f"timestamp-far-off-{name}", STALE, headers(sig(ts=ts), ts=ts))
    refuse("timestamp-stale-and-signature-wrong", STALE, headers(filler(0), ts=NOW - 301), several=True)
    refuse("timestamp-in-the-future-and-signature-wrong", STALE, headers(filler(0), ts=NOW + 301), several=True)
    refuse("timestamp-stale-and-body-altered", STALE, headers(sig(ts=NOW - 301), ts=NOW - 301), flip_last(body), several=True)
    syntax = [
        ("empty", ""), ("negative", f"-{NOW}"), ("negative-small", "-1"), ("zero", "0"), ("float", f"{NOW}.0"), ("float-half", f"{NOW}.5"),
        ("exponent", "1.7672256e9"), ("leading-zero", f"0{NOW}"), ("plus-sign", f"+{NOW}"), ("13-digits", "1" * 13), ("milliseconds", f"{NOW}000"),
        ("hex", hex(NOW)), ("underscores", "1_767_225_600"), ("trailing-text", f"{NOW}s"), ("inner-space", f"{NOW} 0"), ("iso-8601", "2026-01-01T00:00:00Z"),
        ("full-width-digits", "".join(chr(0xFF10 + int(c)) for c in str(NOW))), ("20-digits", "18446744073709551616"), ("joined", f"{NOW}, {NOW}"), ("nan", "nan"),
    ]
    for name, ts in syntax:
        # Signed over the header's own text, so that nothing but the syntax is wrong.
        refuse(f"timestamp-{name}", MALFORMED, headers(sig(ts=ts), ts=ts))
    for name, ts in [("float", f"{NOW}.5"), ("leading-zero", f"0{NOW}"), ("plus-sign", f"+{NOW}"), ("underscores", "1_767_225_600"), ("trailing-text", f"{NOW}s"),
                     ("full-width-digits", "".join(chr(0xFF10 + int(c)) for c in str(NOW)))]:
        # Signed over the number that a lenient parser reads out of it.
        refuse(f"timestamp-{name}-signed-as-number", MALFORMED, headers(sig(ts=NOW), ts=ts), several=True)
    refuse("timestamp-altered", MISMATCH, headers(good, ts=NOW + 1))

    # Altered bodies.
    for name, b in [("first-octet", flip_first(body)), ("last-octet", flip_last(body)), ("appended-newline", body + b"\n"), ("appended-nul", body + b"\x00"),
                    ("truncated", body[:-1]), ("emptied", b""), ("re-serialised", respaced(body)), ("byte-order-mark", b"\xef\xbb\xbf" + body)]:
        refuse(f"body-altered-{name}", MISMATCH, headers(good), b)
    reordered = compact({"z": 1, **event})
    refuse("body-altered-keys-sorted", MISMATCH, headers(sig(reordered)), sorted_keys(reordered))
    invalid = b'{"type":"\xff"}'
    refuse("body-altered-invalid-utf8-replaced", MISMATCH, headers(sig(invalid)), invalid.decode("utf-8", "replace").encode("utf-8"))
    composed = compact({**event, "note": "\u00e9"})
    refuse("body-altered-unicode-normalised", MISMATCH, headers(sig(composed)), compact({**event, "note": "e\u0301"}))
    crlf = json.dumps(event, indent=2).replace("\n", "\r\n").encode()
    refuse("body-altered-crlf-to-lf", MISMATCH, headers(sig(crlf)), crlf.replace(b"\r\n", b"\n"))

    # Ids.
    refuse("id-altered", MISMATCH, headers(good, msg("another")))
    refuse("id-altered-case", MISMATCH, headers(good, mid.swapcase()))
    for name, i in [("empty", ""), ("with-dot", "msg.1"), ("trailing-dot", mid + "."), ("257-octets", "m" * (MAX_ID + 1)), ("not-ascii", "msg_\u00e9"), ("with-tab", "msg_a\tb")]:
        refuse(f"id-{name}", MALFORMED, headers(sig(msg_id=i), i))
    # The signed text `id.ts.ts2.body` read as id `id.ts`, timestamp `ts2`: same MAC, another message.
    shifted = f"{NOW + 1}.".encode() + body
    refuse("id-boundary-shifted", MALFORMED, headers(sig(shifted), f"{mid}.{NOW}", NOW + 1))
    # The other way round it is a body that begins with a number, and correctly signed.
    accept("id-boundary-not-shifted", headers(sig(shifted)), shifted, event_type=None)

    # Keys and signed content.
    refuse("secret-wrong", MISMATCH, headers(sig(key=other_key)))
    refuse("secret-several-none-matches", MISMATCH, headers(sig(key=other_key)), secrets=[secret, old_secret])
    refuse("secret-used-undecoded", MISMATCH, headers(sig(key=secret.encode())))
    refuse("secret-used-undecoded-without-prefix", MISMATCH, headers(sig(key=secret[len("whsec_"):].encode())))
    refuse("secret-empty-key", MISMATCH, headers(sig(key=b"")))
    refuse("secret-of-zeros", MISMATCH, headers(sig(key=bytes(32))))
    refuse("signed-body-only", MISMATCH, headers("v1," + b64(hmac.new(key, body, hashlib.sha256).digest())))
    refuse("signed-timestamp-and-body", MISMATCH, headers("v1," + b64(hmac.new(key, str(NOW).encode() + b"." + body, hashlib.sha256).digest())))
    refuse("signed-timestamp-before-id", MISMATCH, headers("v1," + b64(standard_mac(key, str(NOW), mid, body))))
    refuse("signed-without-dots", MISMATCH, headers("v1," + b64(hmac.new(key, mid.encode() + str(NOW).encode() + body, hashlib.sha256).digest())))
    refuse("signed-with-colons", MISMATCH, headers("v1," + b64(hmac.new(key, f"{mid}:{NOW}:".encode() + body, hashlib.sha256).digest())))
    refuse("signed-empty-body", MISMATCH, headers(sig(b"")))
    refuse("signed-empty-content", MISMATCH, headers("v1," + b64(hmac.new(key, b"", hashlib.sha256).digest())))
    refuse("signed-plain-sha256", MISMATCH, headers("v1," + b64(hashlib.sha256(f"{mid}.{NOW}.".encode() + body).digest())))
    refuse("signed-another-request", MISMATCH, headers(sig(b'{"type":"another"}')))

    # Signature values.
    mac = base64.b64decode(good64)
    refuse("signature-one-bit-first-octet", MISMATCH, headers("v1," + b64(flip_first(mac))))
    refuse("signature-one-bit-last-octet", MISMATCH, headers("v1," + b64(flip_last(mac))))
    refuse("signature-of-zeros", MISMATCH, headers("v1," + b64(bytes(32))))
    refuse("signature-reversed", MISMATCH, headers("v1," + b64(mac[::-1])))
    refuse("list-32-entries-none-matches", MISMATCH, headers(" ".join(filler(n) for n in range(32))))
    refuse("list-malformed-beside-wrong", MISMATCH, headers(f"v1, {filler(0)}"))
    refuse("list-valid-only-under-v2", MISMATCH, headers(f"v2,{good64} {filler(0)}"))
    refuse("list-valid-only-under-v1a", MISMATCH, headers(f"{filler(0)} v1a,{good64}"))
    # An id whose MAC has both of the characters that the URL-safe alphabet replaces.
    url_id = next(i for i in (f"{mid}-{n}" for n in range(10000)) if {"+", "/"} <= set(sig(msg_id=i)))
    url_sig = sig(msg_id=url_id).replace("+", "-").replace("/", "_")
    sha1 = b64(standard_mac(key, mid, NOW, body, hashlib.sha1))
    sha512 = b64(standard_mac(key, mid, NOW, body, hashlib.sha512))
    malformed = [
        ("empty", ""), ("label-only", "v1,"), ("label-without-comma", "v1"), ("no-label", good64), ("comma-only", f",{good64}"),
        ("truncated", "v1," + b64(mac[:31])), ("truncated-one-octet", "v1," + b64(mac[:1])), ("truncated-text", good[:-4]), ("too-long", "v1," + b64(mac + b"\x00")),
        ("doubled", "v1," + b64(mac + mac)), ("concatenated", f"v1,{good64}{good64}"), ("non-canonical-bits", "v1," + non_canonical(good64)),
        ("no-padding", good.rstrip("=")), ("too-much-padding", good + "="), ("padding-and-more", good + "AAAA"),
        ("tab-inside", "v1," + good64[:20] + "\t" + good64[20:]), ("space-inside", "v1," + good64[:20] + " " + good64[20:]), ("space-after-label", f"v1, {good64}"),
        ("stray-character", "v1," + good64[:20] + "!" + good64[20:]), ("quoted", f'"{good}"'), ("hex", "v1," + mac.hex()), ("base64-of-hex", "v1," + b64(mac.hex().encode())),
        ("v1a-only", "v1a," + b64(derived(f"{provider} ed25519", 64))), ("v1a-only-with-valid-mac", f"v1a,{good64}"), ("v2-only", f"v2,{good64}"), ("v0-only", f"v0,{good64}"),
        ("v10-only", f"v10,{good64}"), ("label-upper-case", f"V1,{good64}"), ("label-with-equals-sign", f"v1={good64}"), ("label-with-colon", f"v1:{good64}"),
        ("label-twice", f"v1,v1,{good64}"), ("comma-after", f"{good},"), ("comma-and-text-after", f"{good},x"), ("list-by-commas", f"{good},{filler(0)}"),
        ("list-by-commas-and-spaces", f"{good}, {filler(0)},"), ("list-by-tabs", f"{good}\t{good}"), ("list-by-semicolons", f"{good};{filler(0)}"),
        ("sha1", f"v1,{sha1}"), ("sha512", f"v1,{sha512}"), ("stripe-style", f"t={NOW},v1={mac.hex()}"), ("sha256-prefix", f"sha256={mac.hex()}"),
        ("33-entries", " ".join([good] + [filler(n) for n in range(32)])), ("33-entries-valid-last", " ".join([filler(n) for n in range(32)] + [good])),
        ("200-entries", " ".join([good] * 200)), ("percent-encoded", good.replace("=", "%3D").replace("+", "%2B")), ("not-ascii", "v1," + good64[:-2] + "\u00e9="),
    ]
    for name, value in malformed:
        refuse(f"signature-{name}", MALFORMED, headers(value))
    refuse("signature-url-safe-alphabet", MALFORMED, headers(url_sig, url_id))

    # Missing headers.
    whole = headers(good)
    for label, name in (("id", h_id), ("timestamp", h_ts), ("signature", h_sig)):
        refuse(f"missing-{label}", MISSING, [h for h in whole if h[0] != name])
    refuse("missing-all", MISSING, [h for h in whole if h[0] not in (h_id, h_ts, h_sig)])
    refuse("missing-all-but-signature", MISSING, [(h_sig, good)])
    refuse("generic-header-instead", MISSING, [("X-Webhook-Signature", mac.hex())])

    # Repeated headers.
    for label, name, other in (("id", h_id, msg("another")), ("timestamp", h_ts, str(NOW + 1)), ("signature", h_sig, filler(0))):
        same = dict(whole)[name]
        refuse(f"repeated-{label}-same-value", REPEATED, whole + [(name, same)])
        refuse(f"repeated-{label}-valid-first", REPEATED, whole + [(name, other)])
        refuse(f"repeated-{label}-valid-last", REPEATED, [(name, other)] + whole)
    refuse("repeated-signature-other-case", REPEATED, whole + [(h_sig.swapcase(), good)])
    refuse("repeated-signature-empty-second", REPEATED, whole + [(h_sig, "")])
    refuse("repeated-signature-list-split-over-lines", REPEATED, whole + [(h_sig, sig(key=old_key))], secrets=[secret, old_secret])

    # The two header families.
    webhook = [("webhook-id", mid), ("webhook-timestamp", str(NOW)), ("webhook-signature", good)]
    named_svix = [("svix-id", mid), ("svix-timestamp", str(NOW)), ("svix-signature", good)]
    if svix:
        accept("family-webhook", webhook)
        accept("family-webhook-capitals", [("Webhook-Id", mid), ("Webhook-Timestamp", str(NOW)), ("Webhook-Signature", good)])
        refuse("family-webhook-wrong-signature", MISMATCH, [*webhook[:2], ("webhook-signature", filler(0))])
        refuse("family-webhook-missing-timestamp", MISSING, [webhook[0], webhook[2]])
        refuse("family-both", REPEATED, named_svix + webhook)
        refuse("family-both-one-valid", REPEATED, named_svix + [*webhook[:2], ("webhook-signature", filler(0))])
        refuse("family-both-other-valid", REPEATED, [*named_svix[:2], ("svix-signature", filler(0))] + webhook)
        refuse("family-svix-and-webhook-id", REPEATED, named_svix + [("webhook-id", msg("another"))])
        # Each header is there once, but of both families: still refused as one that has both.
        refuse("family-mixed", REPEATED, [*named_svix[:2], webhook[2]])
        refuse("family-mixed-id", REPEATED, [webhook[0], *named_svix[1:]])
    else:
        refuse("family-svix-only", MISSING, named_svix)
        accept("family-svix-beside-is-ignored", webhook + [("svix-id", msg("another")), ("svix-timestamp", "1"), ("svix-signature", "v1,")])
        refuse("family-mixed", MISSING, [*webhook[:2], named_svix[2]])

    # What the provider is known to send.
    if provider == "allfly":
        b = compact({"type": "event_attendee.ticket_success", "data": {"event_id": "evn_51", "attendee_id": "att_9007", "ticket": "T-1"}})
        accept("allfly-ticket-success", headers(sig(b)), b, event_type="event_attendee.ticket_success")
        accept("allfly-without-custom-header", [h for h in headers(good) if h[0] != "X-Environment"])
        accept("allfly-custom-header-is-not-signed", [("X-Environment", "production")] + [h for h in headers(good) if h[0] != "X-Environment"])
    if provider == "eventsair":
        accept("eventsair-resend-same-id-later-timestamp", headers(sig(ts=NOW + 120), ts=NOW + 120))
    if provider in ("svix", "wristband"):
        accept("svix-manual-replay-same-id-later-timestamp", headers(sig(ts=NOW + 240), ts=NOW + 240))
    return out


# --------------------------------------------------------------------------- generic presets

GENERIC = {
    "generic-hex": {
        "prefix": "",
        "event": {
            "id": "evt_5mZ3kq81",
            "type": "resource.updated",
            "created_at": "2020-02-29T12:00:00Z",
            "data": {"object": {"id": "res_77", "name": "Hall A"}},
            "previous_data": {"name": "Hall B"},
        },
    },
    "generic-sha256": {
        "prefix": "sha256=",
        "event": {"id": "evt_9pX2vd40", "type": "project.updated", "created_at": "2020-02-29T12:00:00Z", "data": {"id": "prj_12", "name": "Atlas"}},
        "extra": [("X-Webhook-Event", "project.updated"), ("X-Webhook-Id", "wh_3f8c21")],
    },
}


def generic(provider):
    conf = GENERIC[provider]
    prefix, event, extra = conf["prefix"], conf["event"], conf.get("extra", [])
    bare = prefix == ""
    name_sig = "X-Webhook-Signature"
    body = compact(event)
    etype, mid = event["type"], event["id"]
    header_type = None if bare else etype
    out = Cases(provider)

    secret = "sk_" + derived(f"{provider} secret", 24).hex()
    old_secret = "sk_" + derived(f"{provider} old secret", 24).hex()
    other_secret = "sk_" + derived(f"{provider} foreign secret", 24).hex()

    def digest(body=body, key=secret, alg=hashlib.sha256):
        return hmac.new(octets(key), body, alg).hexdigest()

    def sig(body=body, key=secret):
        return prefix + digest(body, key)

    def headers(signature, more=None):
        return [("content-type", "application/json"), *(extra if more is None else more), (name_sig, signature)]

    def accept(name, headers, body=body, secrets=(secret,), key_index=0, message_id=mid, event_type=etype):
        out.add(name, ACCEPT, secrets, headers, body, message_id, event_type, key_index)

    def refuse(name, verdict, headers, body=body, secrets=(secret,), several=False):
        out.add(name, verdict, secrets, headers, body, several=several)

    good, hexed = sig(), digest()
    mac = bytes.fromhex(hexed)

    # Accepted bodies. In generic-sha256 the type comes from a header, so it is known whatever the body is.
    accept("plain", headers(good))
    pretty_crlf = json.dumps(event, indent=2).replace("\n", "\r\n").encode()
    bodies = [
        ("empty-object", b"{}", False), ("no-octets", b"", False), ("unicode", compact({**event, "note": UNICODE_NOTE}), True),
        ("unicode-escaped", json.dumps({**event, "note": UNICODE_NOTE}).encode("ascii"), True), ("crlf", pretty_crlf, True), ("trailing-newline", body + b"\n", True),
        ("leading-and-trailing-space", b" \t" + body + b"  ", True), ("nul-after-json", body + b"\x00", False), ("64-kib", padded_to(event, 65536), True),
        ("every-octet", bytes(range(256)), False), ("not-utf8", b'{"id":"\xff\xfe\x80"}', False), ("not-json", b"a=1&b=2", False),
    ]
    for name, b, known in bodies:
        accept(f"body-{name}", headers(sig(b)), b, message_id=mid if known else None, event_type=etype if known else header_type)

    # Accepted headers and signature values.
    def alternating(text):
        return "".join(c.upper() if n % 2 else c for n, c in enumerate(text))

    accept("header-name-lower-case", [(n.lower(), v) for n, v in headers(good)])
    accept("header-name-upper-case", [(n.upper(), v) for n, v in headers(good)])
    accept("hex-upper-case", headers(prefix + hexed.upper()))
    accept("hex-mixed-case", headers(prefix + alternating(hexed)))
    accept("old-body-has-no-timestamp-to-check", headers(good))

    # Secrets are text.
    accept("secrets-second-matches", headers(good), secrets=[old_secret, secret], key_index=1)
    accept("secrets-third-matches", headers(good), secrets=[other_secret, old_secret, secret], key_index=2)
    accept("secrets-first-of-two-matches", headers(good), secrets=[secret, old_secret])
    texts = [
        ("16-octets", "0123456789abcdef"), ("200-octets", derived(f"{provider} long", 100).hex()), ("unicode", "p\u00e4ssw\u00f6rd \u65e5\u672c\u8a9e \U0001f511"),
        ("looks-like-hex", derived(f"{provider} hexlike", 32).hex()), ("looks-like-base64", b64(derived(f"{provider} b64like", 32))),
        ("looks-like-whsec", "whsec_" + b64(derived(f"{provider} whseclike", 32))), ("inner-spaces", "correct horse battery staple"),
    ]
    for name, text in texts:
        accept(f"secret-{name}", headers(sig(key=text)), secrets=[text])
    hexlike, b64like, whseclike = texts[3][1], texts[4][1], texts[5][1]
    refuse("secret-decoded-as-hex", MISMATCH, headers(sig(key=bytes.fromhex(hexlike))), secrets=[hexlike])
    refuse("secret-decoded-as-base64", MISMATCH, headers(sig(key=base64.b64decode(b64like))), secrets=[b64like])
    refuse("secret-decoded-as-whsec", MISMATCH, headers(sig(key=base64.b64decode(whseclike[6:]))), secrets=[whseclike])
    refuse("secret-with-newline", MISMATCH, headers(sig(key=secret + "\n")))
    refuse("secret-wrong", MISMATCH, headers(sig(key=other_secret)))
    refuse("secret-several-none-matches", MISMATCH, headers(sig(key=other_secret)), secrets=[secret, old_secret])
    refuse("secret-empty-key", MISMATCH, headers(sig(key=b"")))
    refuse("secret-case-altered", MISMATCH, headers(sig(key=secret.upper())))

    # Altered bodies.
    reordered = compact({"z": 1, **event})
    for name, signed, sent in [
        ("first-octet", body, flip_first(body)), ("last-octet", body, flip_last(body)), ("appended-newline", body, body + b"\n"), ("appended-nul", body, body + b"\x00"),
        ("truncated", body, body[:-1]), ("emptied", body, b""), ("re-serialised", body, respaced(body)), ("keys-sorted", reordered, sorted_keys(reordered)),
        ("byte-order-mark", body, b"\xef\xbb\xbf" + body), ("crlf-to-lf", pretty_crlf, pretty_crlf.replace(b"\r\n", b"\n")),
        ("id", body, compact({**event, "id": "evt_another0"})), ("type", body, compact({**event, "type": "user.deleted"})),
    ]:
        refuse(f"body-altered-{name}", MISMATCH, headers(sig(signed)), sent)
    invalid = b'{"id":"\xff"}'
    refuse("body-altered-invalid-utf8-replaced", MISMATCH, headers(sig(invalid)), invalid.decode("utf-8", "replace").encode("utf-8"))

    # Signed content.
    refuse("signed-empty-content", MISMATCH, headers(sig(b"")))
    refuse("signed-plain-sha256", MISMATCH, headers(prefix + hashlib.sha256(body).hexdigest()))
    refuse("signed-sha256-of-key-and-body", MISMATCH, headers(prefix + hashlib.sha256(secret.encode() + body).hexdigest()))
    refuse("signed-standard-webhooks-content", MISMATCH, headers(sig(f"{mid}.{NOW}.".encode() + body)))
    refuse("signed-hex-of-body", MISMATCH, headers(sig(body.hex().encode())))
    refuse("signature-one-bit-first-octet", MISMATCH, headers(prefix + flip_first(mac).hex()))
    refuse("signature-one-bit-last-octet", MISMATCH, headers(prefix + flip_last(mac).hex()))
    refuse("signature-of-zeros", MISMATCH, headers(prefix + "0" * 64))
    refuse("signature-reversed", MISMATCH, headers(prefix + mac[::-1].hex()))

    # Signature values.
    values = [
        ("empty", ""), ("one-digit-short", prefix + hexed[:-1]), ("one-octet-short", prefix + hexed[:-2]), ("one-digit-long", prefix + hexed + "0"),
        ("one-octet-long", prefix + hexed + "00"), ("half", prefix + hexed[:32]), ("doubled", prefix + hexed + hexed), ("not-hex-digit", prefix + "g" + hexed[1:]),
        ("not-hex-last-digit", prefix + hexed[:-1] + "z"), ("all-not-hex", prefix + "z" * 64), ("0x", prefix + "0x" + hexed), ("0x-within-64", prefix + "0x" + hexed[2:]),
        ("plus-sign-within-64", prefix + "+" + hexed[1:]), ("space-inside", prefix + hexed[:32] + " " + hexed[32:]), ("space-within-64", prefix + hexed[:31] + " " + hexed[32:]),
        ("colons", prefix + mac.hex(":")), ("underscores", prefix + mac.hex("_")), ("base64", prefix + b64(mac)), ("quoted", f'"{good}"'), ("list-by-comma", f"{good},{good}"),
        ("list-by-comma-and-space", f"{good}, {good}"), ("list-by-space", f"{good} {good}"), ("standard-webhooks-style", "v1," + b64(mac)), ("stripe-style", f"t={NOW},v1={hexed}"),
        ("sha1-length", prefix + digest(alg=hashlib.sha1)), ("sha512-length", prefix + digest(alg=hashlib.sha512)), ("sha1-prefix", "sha1=" + hexed), ("sha512-prefix", "sha512=" + hexed),
        ("hmac-sha256-prefix", "hmac-sha256=" + hexed), ("sha256-colon", "sha256:" + hexed), ("prefix-only", "sha256="), ("prefix-wrong-case", "SHA256=" + hexed),
        ("prefix-capitalised", "Sha256=" + hexed), ("prefix-doubled", "sha256=sha256=" + hexed), ("prefix-then-space", "sha256= " + hexed), ("prefix-then-equals", "sha256==" + hexed),
        ("prefix-at-end", hexed + "sha256="), ("full-width-digits", prefix + "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in hexed)), ("not-ascii", prefix + hexed[:-1] + "\u00e9"),
    ]
    values.append(("with-sha256-prefix", "sha256=" + hexed) if bare else ("prefix-missing", hexed))
    for name, value in values:
        refuse(f"signature-{name}", MALFORMED, headers(value))

    # Missing and repeated headers.
    refuse("missing-signature", MISSING, [h for h in headers(good) if h[0] != name_sig])
    refuse("missing-all", MISSING, [])
    refuse("missing-signature-under-another-name", MISSING, [("X-Hub-Signature-256", "sha256=" + hexed), ("X-Signature", good), ("webhook-signature", good)])
    wrong = prefix + "0" * 64
    refuse("repeated-signature-same-value", REPEATED, headers(good) + [(name_sig, good)])
    refuse("repeated-signature-valid-first", REPEATED, headers(good) + [(name_sig, wrong)])
    refuse("repeated-signature-valid-last", REPEATED, [(name_sig, wrong)] + headers(good))
    refuse("repeated-signature-other-case", REPEATED, headers(good) + [(name_sig.lower(), good)])
    refuse("repeated-signature-empty-second", REPEATED, headers(good) + [(name_sig, "")])

    # Where the id and the type come from.
    if bare:
        for t in ("user.created", "payment.succeeded"):
            b = compact({**event, "type": t})
            accept(f"type-{t.replace('.', '-')}", headers(sig(b)), b, event_type=t)
        decoy = [("X-Webhook-Event", "user.deleted"), ("X-Webhook-Id", "wh_decoy")]
        accept("unsigned-headers-do-not-name-the-event", headers(good, decoy))
    else:
        accept("id-is-not-the-subscription-header", headers(good, [extra[0], ("X-Webhook-Id", "wh_another")]))
        accept("id-without-subscription-header", headers(good, [extra[0]]))
        accept("type-in-the-signed-body-wins", headers(good, [("X-Webhook-Event", "team.member.added"), extra[1]]))
        accept("type-header-absent", headers(good, [extra[1]]))
        b = compact({k: v for k, v in event.items() if k != "type"})
        accept("type-in-header-only", headers(sig(b)), b)
    return out


# --------------------------------------------------------------------------- a second reading of the rules

FAMILIES = {"svix": ("svix-id", "svix-timestamp", "svix-signature"), "webhook": ("webhook-id", "webhook-timestamp", "webhook-signature")}


def decode_base64_mac(text):
    """32 octets of canonical base64, or None."""
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}=", text):
        return None
    raw = base64.b64decode(text, validate=True)
    return raw if len(raw) == 32 and b64(raw) == text else None


def decode_whsec(secret):
    assert secret.startswith("whsec_"), secret
    text = secret[len("whsec_"):]
    raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    assert b64(raw).rstrip("=") == text.rstrip("=") and len(raw) >= MIN_SECRET, secret
    return raw


def defects(provider, now, case):
    """Every defect of the request by itself, and the indexes of the secrets that match it."""
    body = base64.b64decode(case["body_base64"], validate=True)
    found = {}
    for name, value in case["headers"]:
        found.setdefault(name.lower(), []).append(value)
    if provider in GENERIC:
        values = found.get("x-webhook-signature", [])
        if len(values) != 1:
            return ({REPEATED} if values else {MISSING}), []
        form = r"([0-9a-fA-F]{64})" if provider == "generic-hex" else r"sha256=([0-9a-fA-F]{64})"
        match = re.fullmatch(form, values[0], re.ASCII)
        if not match:
            return {MALFORMED}, []
        mac, hits = bytes.fromhex(match.group(1)), []
        for n, secret in enumerate(case["secrets"]):
            assert len(octets(secret)) >= MIN_SECRET
            if hmac.compare_digest(hmac.digest(octets(secret), body, "sha256"), mac):
                hits.append(n)
        return (set() if hits else {MISMATCH}), hits

    both = provider in ("svix", "allfly", "wristband")
    present = [f for f in (("svix", "webhook") if both else ("webhook",)) if any(n in found for n in FAMILIES[f])]
    if len(present) > 1:
        return {REPEATED}, []
    values = [found.get(n, []) for n in FAMILIES[present[0] if present else "webhook"]]
    if any(len(v) > 1 for v in values):
        return {REPEATED}, []
    if any(not v for v in values):
        return {MISSING}, []
    msg_id, ts, signature = (v[0] for v in values)
    bad = set()
    if not re.fullmatch(r"[\x20-\x2d\x2f-\x7e]{1,256}", msg_id):
        bad.add(MALFORMED)
    if not re.fullmatch(r"[1-9][0-9]{0,11}", ts, re.ASCII):
        bad.add(MALFORMED)
    elif abs(now - int(ts)) > TOLERANCE:
        bad.add(STALE)
    entries = signature.split(" ")
    macs = [decode_base64_mac(e[3:]) for e in entries if e.startswith("v1,")]
    macs = [m for m in macs if m is not None]
    hits = []
    if len(entries) > MAX_ENTRIES or not macs:
        bad.add(MALFORMED)
    else:
        content = octets(msg_id) + b"." + octets(ts) + b"." + body
        hits = [n for n, s in enumerate(case["secrets"]) if any(hmac.compare_digest(hmac.digest(decode_whsec(s), content, "sha256"), m) for m in macs)]
        if not hits:
            bad.add(MISMATCH)
    return bad, hits


def body_field(body, name):
    try:
        value = json.loads(body.decode("utf-8"))
    except ValueError:
        return None
    value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def judge(document, several=None):
    """Raises unless every case's verdict is the one that the rules give."""
    provider = document["provider"]
    for case in document["cases"]:
        where = f"{provider}: {case['name']}"
        bad, hits = defects(provider, document["now"], case)
        verdict = next((v for v in PRECEDENCE if v in bad), ACCEPT)
        assert verdict == case["verdict"], f"{where}: stated {case['verdict']}, found {sorted(bad)}"
        if several is not None:
            assert (len(bad) > 1) == (case["name"] in several), f"{where}: {sorted(bad)}"
        if verdict != ACCEPT:
            continue
        if "key_index" in case:
            assert hits == [case["key_index"]], f"{where}: {hits}"
        else:
            assert len(hits) > 1, f"{where}: {hits}"
        body = base64.b64decode(case["body_base64"])
        got = {n.lower(): v for n, v in case["headers"]}
        if provider in GENERIC:
            want = (body_field(body, "id"), body_field(body, "type") or (None if provider == "generic-hex" else got.get("x-webhook-event")))
        else:
            family = next(f for f in (("webhook",) if provider in ("standard-webhooks", "eventsair") else ("svix", "webhook")) if FAMILIES[f][0] in got)
            want = (got[FAMILIES[family][0]], body_field(body, "type"))
        assert (case.get("message_id"), case.get("event_type")) == want, f"{where}: {want}"


def written(document):
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def documents():
    """The file name, without `.json`, and the octets of every file that can be made here."""
    for provider, build in [(p, standard) for p in STANDARD] + [(p, generic) for p in GENERIC]:
        cases = build(provider)
        document = cases.document()
        judge(document, cases.several)
        assert len(cases.cases) >= (25 if build is standard else 18)
        yield provider, written(document)
    for name, cases, read in tables():
        document = cases.document()
        reading.judge(document, read)
        verdicts = [c["verdict"] for c in cases.cases]
        assert ACCEPT in verdicts and len(verdicts) - verdicts.count(ACCEPT) >= 4, name
        yield name, written(document)


def tables():
    """File name, cases and second reading of every preset of the tables."""
    for entry in table_hmac.SCHEMES:
        yield entry.name, scheme.build(entry), reading.defects
    for name, build in table_native.FILES.items():
        yield name, build(), reading_native.READERS[name]
    if public_keys.AVAILABLE:
        import table_keys
        for name, build in table_keys.FILES.items():
            yield name, build(), reading_native.READERS.get(name, reading.defects)


def judge_official(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    provider = document["provider"]
    if provider in STANDARD or provider in GENERIC:
        judge(document)
    elif provider in public_keys.NEEDED_BY and not public_keys.AVAILABLE:
        print(f"official/{path.name}: not judged, PyPI `cryptography` is not installed")
    else:
        reading.judge(document, reading_native.READERS.get(provider, reading.defects))


def main(argv):
    if argv not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    if not public_keys.AVAILABLE:
        print(f"PyPI `cryptography` is not installed: passing over {', '.join(n + '.json' for n in public_keys.NEEDED_BY)}")
    differing = 0
    for name, data in documents():
        assert len(data) <= MAX_FILE, name
        path = HERE / f"{name}.json"
        if not argv:
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            print(f"{path.name} differs from what generate.py writes", file=sys.stderr)
            differing = 1
    for path in sorted((HERE / "official").glob("*.json")):
        judge_official(path)
    return differing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
