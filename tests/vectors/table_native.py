"""The presets whose scheme is not a plain HMAC in a header, and that need no public keys.

Takes nothing, gives `FILES`: preset -> function that makes its cases. Twilio, Adyen, Mailgun, tokens, basic
authentication and JSON Web Tokens with HS256.
"""

import base64
import hashlib
import hmac
import json
import urllib.parse
from dataclasses import replace

from common import ACCEPT, MISMATCH, MISSING, NOW, REFUSED, REPEATED, STALE, Cases, b64, compact, flip_last, octets
from scheme import DAY, NOTE, Scheme, base64url_bare, build, hex_key, mac, text

FILES = {}
JSON = ("content-type", "application/json")


def file(name):
    def register(function):
        FILES[name] = function
        return function
    return register


def secrets_of(name, kind=text()):
    return [kind(f"{name} {label}") for label in ("key", "old key", "foreign key")]


# --------------------------------------------------------------------------- Twilio

def twilio_content(r):
    """The URL, then every parameter of the form by name, each name once with its distinct values in order."""
    if r.body.startswith(b"{"):
        return r.url
    values = {}
    for name, value in urllib.parse.parse_qsl(r.body.decode("latin-1"), keep_blank_values=True, encoding="utf-8"):
        values.setdefault(name, set()).add(value)
    return r.url + "".join(n + v for n in sorted(values) for v in sorted(values[n])).encode()


def twilio_more(m):
    plain = m.plain
    for name, fields in [
        ("form-unsorted", [("To", "+15551230001"), ("From", "+15551230002"), ("Body", "b"), ("AccountSid", "AC1"), ("MessageSid", "SM1")]),
        ("form-upper-case-before-lower", [("body", "x"), ("Body", "y"), ("MessageSid", "SM2")]),
        ("form-unicode", [("Body", NOTE.replace("\0", "")), ("MessageSid", "SM3")]),
        ("form-empty-values", [("Body", ""), ("MediaUrl0", ""), ("MessageSid", "SM4")]),
        ("form-repeated-name", [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("MessageSid", "SM5")]),
        ("form-reserved-characters", [("Body", "a&b=c+d%20e?#;,/"), ("MessageSid", "SM6")]),
    ]:
        m.accept(name, replace(plain, body=urllib.parse.urlencode(fields).encode()))
    swapped = replace(plain, body=plain.body.replace(b"MessageSid=SM", b"MessageSid=SX"))
    m.refuse("form-field-altered", MISMATCH, plain, swapped)
    m.refuse("form-field-added", MISMATCH, plain, replace(plain, body=plain.body + b"&Extra=1"))
    m.refuse("form-field-removed", MISMATCH, plain, replace(plain, body=plain.body.split(b"&", 1)[1]))
    m.refuse("form-signed-without-fields", MISMATCH, plain, entries=[b64(m.s.sign(m.key[1], plain.url))])
    body = compact({"note": NOTE, "Sid": "EH1"})
    hashed = replace(plain, body=body, query="bodySHA256=" + hashlib.sha256(body).hexdigest())

    def as_json(request, sign=None):
        return [JSON if n == "content-type" else (n, v) for n, v in m.headers(m.entry(sign or request), request)]

    m.put("json-with-body-hash", ACCEPT, as_json(hashed), hashed)
    more = replace(hashed, query="a=1&" + hashed.query)
    m.put("json-with-body-hash-and-other-query", ACCEPT, as_json(more), more)
    altered = replace(hashed, body=flip_last(body[:-1]) + b"}")
    m.put("json-body-altered", REFUSED, as_json(altered), altered)
    rehashed = replace(altered, query="bodySHA256=" + hashlib.sha256(altered.body).hexdigest())
    m.put("json-body-and-hash-altered", MISMATCH, as_json(rehashed, hashed), rehashed)
    unhashed = replace(plain, body=body)
    m.put("json-without-body-hash", REFUSED, as_json(unhashed), unhashed)
    twice = replace(altered, query=hashed.query + "&bodySHA256=" + hashlib.sha256(altered.body).hexdigest())
    m.put("json-with-two-hashes-one-signed", MISMATCH, as_json(twice, hashed), twice)


@file("twilio")
def twilio():
    form = urllib.parse.urlencode([("AccountSid", "AC0000"), ("Body", "Hello there"), ("From", "+15551230000"), ("MessageSid", "SM0000"), ("To", "+15551230001")]).encode()
    return build(Scheme(
        "twilio", "X-Twilio-Signature", twilio_content, form, sign=mac("sha1"), written=b64, public_url=True,
        content_type="application/x-www-form-urlencoded", message_id="f:MessageSid", more=twilio_more,
    ))


# --------------------------------------------------------------------------- Adyen

ADYEN = {
    "additionalData": {}, "amount": {"currency": "EUR", "value": 1130}, "eventCode": "AUTHORISATION", "eventDate": "2025-12-31T23:59:58+00:00",
    "merchantAccountCode": "TestMerchant", "merchantReference": "TestPayment-1407325143704", "originalReference": "",
    "paymentMethod": "visa", "pspReference": "7914073381342284", "reason": "", "success": "true",
}


def adyen_item(key, change=None, after=None, signature=None):
    """One item, signed as `change` makes it, then altered by `after`."""
    item = json.loads(json.dumps(ADYEN)) | (change or {})
    fields = [item["pspReference"], item.get("originalReference", ""), item["merchantAccountCode"], item["merchantReference"], item["amount"]["value"], item["amount"]["currency"], item["eventCode"], item["success"]]
    good = b64(hmac.new(key, ":".join(map(str, fields)).encode(), "sha256").digest())
    item |= after or {}
    if signature is not False:
        item["additionalData"] = {"hmacSignature": good if signature is None else signature(good)}
    return {"NotificationRequestItem": item}


@file("adyen")
def adyen():
    out = Cases("adyen")
    key, old, other = secrets_of("adyen", hex_key)

    def put(name, verdict, *items, secrets=(key,), key_index=None, body=None):
        body = compact({"live": "false", "notificationItems": list(items)}) if body is None else body
        known = verdict == ACCEPT
        out.add(name, verdict, [w for w, _ in secrets], [JSON], body, event_type="AUTHORISATION" if known else None, key_index=(key_index or 0) if known else None)

    def one(name, verdict, **how):
        put(name, verdict, adyen_item(key[1], **how))

    one("plain", ACCEPT)
    one("unsigned-field-is-not-covered", ACCEPT, after={"reason": NOTE, "paymentMethod": "mc"})
    one("merchant-reference-unicode", ACCEPT, change={"merchantReference": "r\u00e9f-\u65e5\u672c"})
    one("original-reference", ACCEPT, change={"originalReference": "8313547924770610"})
    one("amount-of-zero", ACCEPT, change={"amount": {"currency": "USD", "value": 0}})
    item = adyen_item(key[1])
    absent = json.loads(json.dumps(item))
    del absent["NotificationRequestItem"]["originalReference"]
    put("original-reference-absent-is-empty", ACCEPT, absent)
    put("secrets-second-matches", ACCEPT, item, secrets=(old, key), key_index=1)
    put("secret-in-lower-case", ACCEPT, item, secrets=((key[0].lower(), key[1]),))
    second = adyen_item(key[1], {"pspReference": "7914073381342285"})
    put("two-items", ACCEPT, item, second)
    put("two-items-second-of-another-key", MISMATCH, item, adyen_item(other[1]))
    put("two-items-first-of-another-key", MISMATCH, adyen_item(other[1]), item)
    put("two-items-second-altered", MISMATCH, item, adyen_item(key[1], after={"success": "false"}))
    put("two-items-second-unsigned", REFUSED, item, adyen_item(key[1], signature=False))
    put("secret-wrong", MISMATCH, adyen_item(other[1]))
    put("secret-used-as-text", MISMATCH, adyen_item(key[0].encode()))
    put("secret-several-none-matches", MISMATCH, adyen_item(other[1]), secrets=(key, old))
    for name, change in [
        ("amount", {"amount": {"currency": "EUR", "value": 1131}}), ("currency", {"amount": {"currency": "USD", "value": 1130}}), ("psp-reference", {"pspReference": "7914073381342285"}),
        ("success", {"success": "false"}), ("event-code", {"eventCode": "REFUND"}), ("merchant-account", {"merchantAccountCode": "Another"}),
        ("merchant-reference", {"merchantReference": "x"}), ("original-reference", {"originalReference": "1"}),
    ]:
        one(f"body-altered-{name}", MISMATCH, after=change)
    mangled = {
        "empty": lambda s: "", "truncated": lambda s: b64(base64.b64decode(s)[:-1]), "appended-octet": lambda s: b64(base64.b64decode(s) + b"\0"),
        "number": lambda s: 1, "null": lambda s: None, "list": lambda s: [s], "hex": lambda s: base64.b64decode(s).hex(),
    }
    for name, how in mangled.items():
        one(f"signature-{name}", REFUSED, signature=how)
    one("signature-one-bit", MISMATCH, signature=lambda s: b64(flip_last(base64.b64decode(s))))
    one("signature-missing", REFUSED, signature=False)
    put("no-items", REFUSED)
    for name, body in [("empty-body", b""), ("not-json", b"a=1"), ("json-list", b"[]"), ("items-not-a-list", b'{"notificationItems":{}}'), ("item-of-another-name", b'{"notificationItems":[{"Item":{}}]}')]:
        put(name, REFUSED, body=body)
    return out


# --------------------------------------------------------------------------- Mailgun

@file("mailgun")
def mailgun():
    out = Cases("mailgun")
    key, old, other = secrets_of("mailgun")
    token = hashlib.sha256(b"hookbridge test vector mailgun token").hexdigest()[:50]

    def make(ts=NOW, token=token, signer=key, data=None, **sent):
        signature = {"timestamp": str(ts), "token": token, "signature": hmac.new(signer[1], f"{ts}{token}".encode(), "sha256").hexdigest()}
        signature = {k: v for k, v in (signature | sent).items() if v is not None}
        return compact({"signature": signature, "event-data": data or {"event": "delivered", "id": "CPgfbmQMTCKtHW6uIWtuVe", "timestamp": 1767225598.5}})

    def put(name, verdict, body, secrets=(key,), key_index=None):
        names = {"message_id": "CPgfbmQMTCKtHW6uIWtuVe", "event_type": "delivered", "key_index": key_index or 0} if verdict == ACCEPT else {}
        out.add(name, verdict, [w for w, _ in secrets], [JSON], body, **names)

    good = json.loads(make())["signature"]["signature"]
    put("plain", ACCEPT, make())
    put("event-data-is-not-covered", ACCEPT, make(data={"event": "delivered", "id": "CPgfbmQMTCKtHW6uIWtuVe", "recipient": NOTE}))
    escaped = f"\\u{ord(token[0]):04x}{token[1:]}"
    put("token-written-with-an-escape", ACCEPT, make().replace(token.encode(), escaped.encode()))
    put("secrets-second-matches", ACCEPT, make(), (old, key), 1)
    put("credential-altered-token", MISMATCH, make().replace(token.encode(), (token[:-1] + ("0" if token[-1] != "0" else "1")).encode()))
    put("credential-altered-timestamp", MISMATCH, make().replace(f'"{NOW}"'.encode(), f'"{NOW - 1}"'.encode()))
    put("secret-wrong", MISMATCH, make(signer=other))
    put("secret-several-none-matches", MISMATCH, make(signer=other), (key, old))
    put("timestamp-stale", STALE, make(ts=NOW - DAY))
    put("timestamp-in-the-future", STALE, make(ts=NOW + DAY))
    put("signature-one-bit", MISMATCH, make(signature=flip_last(bytes.fromhex(good)).hex()))
    put("signature-plain-digest", MISMATCH, make(signature=hashlib.sha256(f"{NOW}{token}".encode()).hexdigest()))
    for name, sent in [("signature-empty", {"signature": ""}), ("signature-truncated", {"signature": good[:-2]}), ("signature-appended-octet", {"signature": good + "00"}), ("signature-number", {"signature": 1})]:
        put(name, REFUSED, make(**sent))
    for field in ("signature", "token", "timestamp"):
        put(f"{field}-missing", REFUSED, make(**{field: None}))
    # The digit that moves from the time to the token leaves the signed text as it was.
    put("timestamp-boundary-shifted", STALE, make().replace(f'"{NOW}"'.encode(), f'"{NOW // 10}"'.encode()).replace(token.encode(), f"{NOW % 10}{token}".encode()))
    for name, body in [("empty-body", b""), ("not-json", b"timestamp=1&token=2&signature=3"), ("json-list", b"[]"), ("signature-not-an-object", b'{"signature":"x"}')]:
        put(name, REFUSED, body)
    return out


# --------------------------------------------------------------------------- static tokens

def token_cases(name, place, where, event, prefix="", message_id=None, event_type=None, extra=()):
    """`place`: header, query, or json (then `where` is the path of keys)."""
    out = Cases(name)
    key, old, other = secrets_of(name)

    def put(case, verdict, value, body=event, secrets=(key,), key_index=None, headers=None, query=None):
        sent = json.loads(compact(body))
        if place == "json" and value is not None:
            node = sent
            for part in where[:-1]:
                node = node[part]
            node[where[-1]] = value
        if headers is None:
            headers = [JSON, *extra] + ([(where, value)] if place == "header" and value is not None else [])
        if place == "query" and query is None and value is not None:
            query = f"{where}={value}"
        names = {"message_id": message_id, "event_type": event_type, "key_index": key_index or 0} if verdict == ACCEPT else {}
        out.add(case, verdict, [w for w, _ in secrets], headers, compact(sent), query=query, **names)

    good = prefix + key[0]
    put("plain", ACCEPT, good)
    changed = [event[0] | {"note": NOTE}] + event[1:] if isinstance(event, list) else event | {"note": NOTE}
    put("body-is-not-covered", ACCEPT, good, body=changed)
    put("secrets-second-matches", ACCEPT, good, secrets=(old, key), key_index=1)
    put("credential-altered", MISMATCH, good[:-1] + ("0" if good[-1] != "0" else "1"))
    put("credential-upper-case", MISMATCH, prefix + key[0].upper())
    put("credential-truncated", MISMATCH, good[:-1])
    put("credential-appended-octet", MISMATCH, good + "0")
    put("credential-doubled", MISMATCH, good + key[0])
    put("secret-wrong", MISMATCH, prefix + other[0])
    put("secret-several-none-matches", MISMATCH, prefix + other[0], secrets=(key, old))
    put("credential-missing", MISSING if place == "header" else REFUSED, None)
    put("credential-empty", REFUSED, "")
    if place == "header":
        put("header-name-lower-case", ACCEPT, good, headers=[JSON, *extra, (where.lower(), good)])
        put("credential-repeated", REPEATED, good, headers=[JSON, *extra, (where, good), (where, good)])
        put("credential-repeated-wrong-second", REPEATED, good, headers=[JSON, *extra, (where, good), (where, prefix + other[0])])
        put("credential-in-another-header", MISSING, None, headers=[JSON, *extra, ("X-Another-Token", good)])
    if prefix:
        put("credential-without-scheme", REFUSED, key[0])
        put("credential-of-another-scheme", REFUSED, "Basic " + key[0])
        put("credential-scheme-only", REFUSED, prefix)
    if place == "query":
        put("credential-beside-other-parameters", ACCEPT, good, query=f"a=1&{where}={good}&b=2")
        put("credential-in-another-parameter", REFUSED, None, query=f"a{where}={good}")
        put("credential-twice-one-wrong", REFUSED, None, query=f"{where}={good}&{where}={other[0]}")
    if place == "json":
        for kind, value in [("number", 1), ("null", None), ("list", [good]), ("true", True)]:
            if value is not None:
                put(f"credential-{kind}", REFUSED, value)
    return out


TOKENS = [
    ("gitlab", "header", "X-Gitlab-Token", {"object_kind": "push", "ref": "refs/heads/main"},
     {"extra": [("X-Gitlab-Event", "Push Hook"), ("Idempotency-Key", "f5e57ae6-3b6c-4f2b-8b5a-000000000001"), ("X-Gitlab-Event-UUID", "13792a34-cac6-4fda-95a8-c58e00a3954e")],
      "message_id": "f5e57ae6-3b6c-4f2b-8b5a-000000000001", "event_type": "Push Hook"}),
    ("telegram", "header", "X-Telegram-Bot-Api-Secret-Token", {"update_id": 734511231, "message": {"message_id": 1, "text": "hi"}}, {"message_id": "734511231"}),
    ("hugging-face", "header", "X-Webhook-Secret", {"event": {"action": "update", "scope": "repo.content"}, "repo": {"name": "a/b"}, "webhook": {"id": "1", "version": 3}},
     {"extra": [("Webhook-Id", "whk_1")], "message_id": "whk_1", "event_type": "update"}),
    ("ringcentral", "header", "Verification-Token", {"uuid": "3765930018457162853", "event": "/restapi/v1.0/account/~/extension/~/message-store", "body": {}},
     {"message_id": "3765930018457162853", "event_type": "/restapi/v1.0/account/~/extension/~/message-store"}),
    ("okta", "header", "Authorization", {"eventType": "com.okta.event_hook", "eventId": "b5a188b9-5ece-4636-b041-482ffda96311", "data": {"events": [{"uuid": "1", "eventType": "user.session.start"}]}},
     {"message_id": "b5a188b9-5ece-4636-b041-482ffda96311"}),
    ("auth0", "header", "Authorization", [{"log_id": "90020251231235958", "data": {"type": "s", "client_id": "c"}}], {}),
    ("cloudevents", "header", "Authorization", {"hello": "world"}, {
        "prefix": "Bearer ", "event_type": "com.example.someevent",
        "extra": [("ce-specversion", "1.0"), ("ce-type", "com.example.someevent"), ("ce-source", "/mycontext"), ("ce-id", "A234-1234-1234")]}),
    ("figma", "json", ["passcode"], {"event_type": "FILE_UPDATE", "file_key": "k", "webhook_id": "22", "timestamp": "2025-12-31T23:59:58Z"}, {"event_type": "FILE_UPDATE"}),
    ("microsoft-graph", "json", ["value", 0, "clientState"], {"value": [{"subscriptionId": "s1", "changeType": "created", "resource": "Users/1/Messages/2"}]}, {}),
    ("sharepoint", "json", ["value", 0, "clientState"], {"value": [{"subscriptionId": "s1", "resource": "r1", "siteUrl": "/"}]}, {}),
    ("event-grid", "query", "token", [{"id": "831e1650-001e-001b-66ab-eeb76e069631", "eventType": "Microsoft.Storage.BlobCreated", "subject": "/a", "data": {}}],
     {"extra": [("aeg-event-type", "Notification")]}),
]

for _row in TOKENS:
    FILES[_row[0]] = lambda r=_row: token_cases(*r[:4], **r[4])


# --------------------------------------------------------------------------- basic authentication

def basic_cases(name, event, message_id=None, event_type=None):
    out = Cases(name)
    user = f"hookbridge-test-{name}"
    key, old, other = (f"{user}:{w}" for w, _ in secrets_of(name))

    def put(case, verdict, value, secrets=(key,), key_index=None, body=event, header="Authorization"):
        headers = [JSON] + [(header, v) for v in ([value] if isinstance(value, str) else value)]
        names = {"message_id": message_id, "event_type": event_type, "key_index": key_index or 0} if verdict == ACCEPT else {}
        out.add(case, verdict, list(secrets), headers, compact(body), **names)

    def basic(credentials):
        return "Basic " + b64(octets(credentials))

    good = basic(key)
    put("plain", ACCEPT, good)
    put("body-is-not-covered", ACCEPT, good, body=event | {"note": NOTE})
    put("secrets-second-matches", ACCEPT, good, (old, key), 1)
    put("scheme-lower-case", ACCEPT, good.replace("Basic", "basic"))
    put("header-name-lower-case", ACCEPT, good, header="authorization")
    put("password-with-colons", ACCEPT, basic(f"{user}:a:long:password:of:words"), (f"{user}:a:long:password:of:words",))
    put("password-unicode", ACCEPT, basic(f"{user}:p\u00e4ssw\u00f6rd-\u65e5\u672c\u8a9e"), (f"{user}:p\u00e4ssw\u00f6rd-\u65e5\u672c\u8a9e",))
    put("credential-altered-password", MISMATCH, basic(key[:-1] + ("0" if key[-1] != "0" else "1")))
    put("credential-altered-user", MISMATCH, basic("x" + key))
    put("credential-truncated", MISMATCH, basic(key[:-1]))
    put("credential-appended-octet", MISMATCH, basic(key + "0"))
    put("credential-user-only", REFUSED, basic(user))
    put("credential-password-empty", MISMATCH, basic(f"{user}:"))
    put("secret-wrong", MISMATCH, basic(other))
    put("secret-several-none-matches", MISMATCH, basic(other), (key, old))
    put("credential-missing", MISSING, [])
    put("credential-empty", REFUSED, "")
    put("credential-scheme-only", REFUSED, "Basic ")
    put("credential-not-base64", REFUSED, "Basic !" + good[7:])
    put("credential-not-encoded", REFUSED, "Basic " + key)
    put("credential-of-another-scheme", REFUSED, "Bearer " + good[6:])
    put("credential-without-scheme", REFUSED, good[6:])
    put("credential-repeated", REPEATED, [good, good])
    return out


BASIC = [
    ("postmark", {"RecordType": "Bounce", "ID": 42, "MessageID": "00000000-0000-0000-0000-000000000000", "Type": "HardBounce"}, None, "Bounce"),
    ("chargebee", {"id": "ev_16BHbhF4s42tO2lK", "event_type": "subscription_created", "api_version": "v2", "occurred_at": NOW - 2, "content": {}}, "ev_16BHbhF4s42tO2lK", "subscription_created"),
    ("pipedrive", {"meta": {"action": "change", "entity": "deal", "id": "m1", "version": "2.0"}, "data": {"id": 1}}, None, None),
    ("recurly", {"id": "pdq3", "object_type": "account", "event_type": "created", "site_id": "s1"}, None, None),
]

for _row in BASIC:
    FILES[_row[0]] = lambda r=_row: basic_cases(*r)


# --------------------------------------------------------------------------- JSON Web Tokens, HS256

def segment(value):
    return base64url_bare(value if isinstance(value, bytes) else compact(value))


def hs_token(key, claims, header=None, digest="sha256"):
    signed = segment(header or {"alg": "HS256", "typ": "JWT"}) + "." + segment(claims)
    return signed + "." + segment(hmac.new(key, signed.encode(), digest).digest())


def jwt_cases(name, header, event, claims, body_claim=None, prefix="", message_id=None, event_type=None, extra=()):
    """`claims`: what the vendor puts in beside `body_claim`, the claim with the hex SHA-256 of the body."""
    out = Cases(name)
    key, old, other = secrets_of(name)
    event = compact(event)

    def of(body=event, key=key[1], more=None, **how):
        whole = claims | ({body_claim: hashlib.sha256(body).hexdigest()} if body_claim else {}) | (more or {})
        return hs_token(key, {k: v for k, v in whole.items() if v is not None}, **how)

    def put(case, verdict, value, body=event, secrets=(key,), key_index=None, bare=False, name=header):
        values = [value] if isinstance(value, str) else value
        headers = [JSON, *extra] + [(name, v if bare else prefix + v) for v in values]
        names = {"message_id": message_id, "event_type": event_type, "key_index": key_index or 0} if verdict == ACCEPT else {}
        out.add(case, verdict, [w for w, _ in secrets], headers, body, **names)

    good = of()
    head, payload, signature = good.split(".")
    put("plain", ACCEPT, good)
    noted = compact(json.loads(event) | {"note": NOTE})
    if body_claim:
        put("body-unicode", ACCEPT, of(noted), noted)
        put("body-altered", MISMATCH, good, noted)
        put("body-altered-emptied", MISMATCH, good, b"")
        put("body-claim-missing", REFUSED, of(more={body_claim: None}))
        put("body-claim-empty", REFUSED, of(more={body_claim: ""}))
        put("body-claim-truncated", REFUSED, of(more={body_claim: hashlib.sha256(event).hexdigest()[:-2]}))
        put("body-claim-number", REFUSED, of(more={body_claim: 1}))
    else:
        put("body-is-not-covered", ACCEPT, good, noted)
    put("secrets-second-matches", ACCEPT, good, secrets=(old, key), key_index=1)
    put("header-name-lower-case", ACCEPT, good, name=header.lower())
    put("not-expired", ACCEPT, of(more={"exp": NOW + 60}))
    put("claims-altered", MISMATCH, f"{head}.{segment(json.loads(base64.urlsafe_b64decode(payload + '==')) | {'extra': 1})}.{signature}")
    put("secret-wrong", MISMATCH, of(key=other[1]))
    put("secret-empty-key", MISMATCH, of(key=b""))
    put("secret-several-none-matches", MISMATCH, of(key=other[1]), secrets=(key, old))
    put("expired", REFUSED, of(more={"exp": NOW - DAY}))
    put("not-yet-valid", REFUSED, of(more={"nbf": NOW + DAY}))
    put("expiry-not-a-number", REFUSED, of(more={"exp": "never"}))
    put("algorithm-none", REFUSED, segment({"alg": "none", "typ": "JWT"}) + "." + payload + ".")
    put("algorithm-none-with-signature", REFUSED, hs_token(key[1], claims, {"alg": "none", "typ": "JWT"}))
    put("algorithm-hs512", REFUSED, of(header={"alg": "HS512", "typ": "JWT"}, digest="sha512"))
    put("algorithm-named-otherwise", REFUSED, of(header={"alg": "RS256", "typ": "JWT"}))
    put("algorithm-missing", REFUSED, of(header={"typ": "JWT"}))
    put("critical-extension-unknown", REFUSED, of(header={"alg": "HS256", "crit": ["x"], "x": 1}))
    put("claims-not-an-object", REFUSED, hs_token(key[1], [1]))
    raw = base64.urlsafe_b64decode(signature + "=")
    put("signature-one-bit", MISMATCH, f"{head}.{payload}.{segment(flip_last(raw))}")
    for case, value in [
        ("signature-truncated", f"{head}.{payload}.{segment(raw[:-1])}"), ("signature-appended-octet", f"{head}.{payload}.{segment(raw + bytes(1))}"), ("signature-empty", f"{head}.{payload}."),
        ("two-parts", f"{head}.{payload}"), ("four-parts", good + "." + signature), ("no-dots", head), ("not-base64url", f"{head}.{payload}.!{signature[1:]}"), ("token-empty", ""),
    ]:
        put(case, REFUSED, value)
    put("signature-missing", MISSING, [])
    put("signature-repeated", REPEATED, [good, good])
    if prefix:
        put("scheme-missing", REFUSED, good, bare=True)
        put("scheme-another", REFUSED, "Basic " + good, bare=True)
    return out


JWTS = [
    ("netlify", "X-Webhook-Signature", {"id": "5f3c", "state": "ready", "name": "site"}, {"iss": "netlify"}, "sha256", {"extra": [("X-Netlify-Event", "deploy_created")]}),
    ("monday", "Authorization", {"event": {"type": "update_column_value", "triggerUuid": "b5ed2e17c530f43668de130142445cba", "boardId": 1}},
     {"accountId": 1, "userId": 2, "aud": "https://hooks.example.com/webhooks/monday", "exp": NOW + 300, "iat": NOW - 1}, None, {"event_type": "update_column_value"}),
    ("vonage", "Authorization", {"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "status": "delivered"},
     {"iss": "Vonage", "iat": NOW - 1, "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "api_key": "a1b2c3d"}, "payload_hash", {"prefix": "Bearer "}),
]

for _row in JWTS:
    FILES[_row[0]] = lambda r=_row: jwt_cases(*r[:5], **r[5])
