"""The presets whose signature is made with a private key.

Takes nothing, gives `FILES`: file name -> function that makes its cases. Needs PyPI `cryptography`, by way of
`public_keys.py`.
"""

import hashlib
import json
from dataclasses import replace

import public_keys as pk
from common import ACCEPT, MISMATCH, MISSING, NOW, REFUSED, REPEATED, Cases, b64, compact, derived, flip_last
from scheme import DAY, NOTE, Scheme, build, rfc3339, seconds, whsec
from table_hmac import family, ts_body, uuid
from table_native import segment

FILES = {}
JSON = ("content-type", "application/json")


def file(name):
    def register(function):
        FILES[name] = function
        return function
    return register


def ed25519_secret(write):
    def make(label):
        key = pk.ed25519_key(label)
        return write(pk.raw_public(key)), key
    return make


def rsa_secret(label):
    """Three RSA keys serve all files: making one takes a second."""
    key = pk.rsa_key("rsa " + label.split(" ", 1)[1])
    return pk.spki_pem(key), key


def p256_secret(label):
    key = pk.p256_key(label)
    return b64(pk.spki_der(key)), key


# --------------------------------------------------------------------------- a key in the configuration

@file("discord")
def discord():
    event = {"id": "1234567890123456789", "application_id": "987654321098765432", "type": 2, "token": "t", "version": 1, "data": {"name": "ping"}}
    return build(Scheme("discord", "X-Signature-Ed25519", ts_body, event, sign=pk.sign_ed25519, secret=ed25519_secret(bytes.hex), ts=seconds, ts_at="X-Signature-Timestamp", message_id="j:id"))


@file("telnyx")
def telnyx():
    event = {"data": {"event_type": "message.received", "id": uuid("telnyx"), "occurred_at": "2025-12-31T23:59:58.000000Z", "record_type": "event"}}
    return build(Scheme("telnyx", "telnyx-signature-ed25519", lambda r: r.ts + b"|" + r.body, event, sign=pk.sign_ed25519, written=b64, secret=ed25519_secret(b64),
                        ts=seconds, ts_at="telnyx-timestamp", tolerance=300, message_id="j:data.id", event_type="j:data.event_type"))


@file("sendgrid")
def sendgrid():
    event = [{"email": "a@example.com", "event": "delivered", "sg_event_id": "ZGVsaXZlcmVkLTA", "sg_message_id": "m1", "timestamp": NOW - 2}]
    return build(Scheme("sendgrid", "X-Twilio-Email-Event-Webhook-Signature", ts_body, event, sign=pk.sign_p256, written=b64, secret=p256_secret,
                        ts=seconds, ts_at="X-Twilio-Email-Event-Webhook-Timestamp", fixed_length=False))


def wechat_more(m):
    r = m.plain
    headers = [(n, "another" if n == "Wechatpay-Nonce" else v) for n, v in m.headers(m.entry(r), r)]
    m.put("nonce-altered", MISMATCH, headers, r)
    m.without("nonce-missing", MISSING, "Wechatpay-Nonce")
    m.refuse("signed-without-last-newline", MISMATCH, r, entries=[b64(pk.sign_rsa_sha256(m.key[1], m.s.content(r)[:-1]))])
    m.refuse("signed-with-sha1", MISMATCH, r, entries=[b64(pk.sign_rsa_sha1(m.key[1], m.s.content(r)))])


@file("wechat-pay")
def wechat_pay():
    nonce = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"
    event = {"id": uuid("wechat"), "create_time": "2025-12-31T23:59:58+08:00", "resource_type": "encrypt-resource", "event_type": "TRANSACTION.SUCCESS", "resource": {"algorithm": "AEAD_AES_256_GCM"}}
    return build(Scheme("wechat-pay", "Wechatpay-Signature", lambda r: r.ts + b"\n" + nonce.encode() + b"\n" + r.body + b"\n", event, sign=pk.sign_rsa_sha256, written=b64, secret=rsa_secret,
                        ts=seconds, ts_at="Wechatpay-Timestamp", extra=[("Wechatpay-Nonce", nonce), ("Wechatpay-Serial", "PUB_KEY_ID_0000000000000000000000000000")],
                        message_id="j:id", event_type="j:event_type", fixed_length=False, more=wechat_more))


def v1a_more(m):
    plain = m.plain
    symmetric = family("standard-webhooks", m.s.event)
    key = symmetric.secret("standard-webhooks v1 key")
    v1 = "v1," + b64(symmetric.sign(key[1], symmetric.content(plain)))
    v1_wrong = "v1," + b64(derived("standard-webhooks v1 filler", 32))
    v1a, v1a_wrong = m.entry(plain), m.entry(plain, m.other)
    m.accept("v1-before-v1a-only-public-key", plain, entries=[v1_wrong, v1a])
    m.accept("v1-after-v1a-only-public-key", plain, entries=[v1a, v1_wrong])
    m.accept("v1-and-v1a-only-symmetric-secret", plain, entries=[v1a_wrong, v1], secrets=[key])
    m.accept("v1-matches-v1a-does-not", plain, entries=[v1a_wrong, v1], secrets=[m.key, key], key_index=1)
    m.accept("v1a-matches-v1-does-not", plain, entries=[v1_wrong, v1a], secrets=[key, m.key], key_index=1)
    m.refuse("neither-v1-nor-v1a-matches", MISMATCH, plain, entries=[v1_wrong, v1a_wrong], secrets=[key, m.key])
    m.refuse("v1-only-but-public-key", REFUSED, plain, entries=[v1])
    m.refuse("v1a-only-but-symmetric-secret", REFUSED, plain, secrets=[key])
    # Whoever has the public key must not be able to use it as the key of an HMAC.
    public = pk.raw_public(m.key[1])
    for name, hmac_key in [("octets", public), ("base64", b64(public).encode()), ("as-written", m.key[0].encode())]:
        m.refuse(f"v1-keyed-with-public-key-{name}", REFUSED, plain, entries=["v1," + b64(symmetric.sign(hmac_key, symmetric.content(plain)))])
    m.refuse("v1a-signature-labelled-v1", REFUSED, plain, entries=["v1," + v1a[4:]])
    m.refuse("v1-signature-labelled-v1a", REFUSED, plain, entries=["v1a," + v1[3:]])


@file("standard-webhooks-v1a")
def standard_webhooks_v1a():
    event = {"type": "contact.created", "timestamp": "2025-12-31T23:59:58Z", "data": {"id": uuid("v1a")}}
    return build(replace(family("standard-webhooks", event), sign=pk.sign_ed25519, each="v1a,{}", secret=ed25519_secret(lambda raw: "whpk_" + b64(raw)), more=v1a_more))


# --------------------------------------------------------------------------- fetched keys

CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
FOREIGN_URLS = {
    "foreign-host": "https://certs.example.com/v1/notifications/certs/CERT-1",
    "host-as-user": "https://api.paypal.com@certs.example.com/CERT-1",
    "host-as-prefix": "https://api.paypal.com.example.com/CERT-1",
    "host-as-suffix": "https://evil-api.paypal.com.example.com/CERT-1",
    "plain-http": "http://api.paypal.com/v1/notifications/certs/CERT-1",
    "host-in-path": "https://certs.example.com/api.paypal.com/CERT-1",
}


def paypal_more(m):
    def sent(url, key=None):
        return [(n, url if n == "PAYPAL-CERT-URL" else v) for n, v in m.headers(m.entry(m.plain, key), m.plain)]

    for name, url in FOREIGN_URLS.items():
        m.put(f"cert-url-{name}", REFUSED, sent(url, m.other), m.plain)
    m.put("cert-url-not-a-url", REFUSED, sent("CERT-1"), m.plain)
    m.put("cert-url-empty", REFUSED, sent(""), m.plain)
    m.put("cert-url-unknown", REFUSED, sent(CERT_URL + "-0"), m.plain)
    m.without("cert-url-missing", MISSING, "PAYPAL-CERT-URL")
    other = m.s.content(m.plain).replace(b"|0EH40505U7160970P|", b"|1JE4291016473214C|")
    m.refuse("signed-for-another-webhook", MISMATCH, m.plain, entries=[b64(m.s.sign(m.key[1], other))])


@file("paypal")
def paypal():
    import zlib
    keys = {CERT_URL: pk.certificate(rsa_secret("paypal key")[1], "paypal.test.hookbridge.example")}
    keys |= {url: pk.certificate(rsa_secret("paypal foreign key")[1], "foreign.test.hookbridge.example") for url in FOREIGN_URLS.values()}
    event = {"id": "WH-COC11055RA711503B-4YM959094A144403T", "create_time": "2025-12-31T23:59:58Z", "event_type": "PAYMENT.SALE.COMPLETED", "resource": {"id": "80021663DE681814L"}}
    return build(Scheme(
        "paypal", "PAYPAL-TRANSMISSION-SIG", lambda r: r.id + b"|" + r.ts + b"|0EH40505U7160970P|" + str(zlib.crc32(r.body)).encode(), event, sign=pk.sign_rsa_sha256, written=b64,
        secret=rsa_secret, ts=rfc3339, ts_at="PAYPAL-TRANSMISSION-TIME", ages=False, id=uuid("paypal"), id_at="PAYPAL-TRANSMISSION-ID", keyless=True, fetched_keys=keys,
        extra=[("PAYPAL-CERT-URL", CERT_URL), ("PAYPAL-AUTH-ALGO", "SHA256withRSA")], parameters={"webhook_id": "0EH40505U7160970P"}, message_id="j:id", event_type="j:event_type",
        fixed_length=False, more=paypal_more))


SNS_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000.pem"
SNS_FOREIGN = {
    "foreign-host": "https://certs.example.com/SimpleNotificationService-1.pem",
    "host-as-user": "https://sns.us-east-1.amazonaws.com@certs.example.com/SimpleNotificationService-1.pem",
    "host-as-prefix": "https://sns.us-east-1.amazonaws.com.example.com/SimpleNotificationService-1.pem",
    "bucket": "https://s3.us-east-1.amazonaws.com/sns/SimpleNotificationService-1.pem",
    "another-service": "https://ec2.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
    "two-labels": "https://sns.evil.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
    "plain-http": "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
}
NOTIFICATION = {
    "Type": "Notification", "MessageId": uuid("sns"), "TopicArn": "arn:aws:sns:us-east-1:123456789012:MyTopic", "Subject": "My First Message", "Message": "Hello world!",
    "Timestamp": "2025-12-31T23:59:58.500Z", "SignatureVersion": "2", "SigningCertURL": SNS_URL,
    "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn",
}
CONFIRMATION = {k: v for k, v in NOTIFICATION.items() if k not in ("Subject", "UnsubscribeURL")} | {
    "Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"}


def sns_content(message):
    wanted = "Message MessageId Subject Timestamp TopicArn Type" if message["Type"] == "Notification" else "Message MessageId SubscribeURL Timestamp Token TopicArn Type"
    return "".join(f"{name}\n{message[name]}\n" for name in wanted.split() if name in message).encode()


@file("aws-sns")
def aws_sns():
    key, other = (rsa_secret(f"aws-sns {label}")[1] for label in ("key", "foreign key"))
    keys = {SNS_URL: pk.certificate(key, "sns.test.hookbridge.example")} | {u: pk.certificate(other, "foreign.test.hookbridge.example") for u in SNS_FOREIGN.values()}
    out = Cases("aws-sns", fetched_keys=keys)

    def put(name, verdict, message, after=None, signer=key, sign=None, mangle=None, body=None):
        sign = sign or (pk.sign_rsa_sha1 if message.get("SignatureVersion") == "1" else pk.sign_rsa_sha256)
        good = sign(signer, sns_content(message))
        sent = message | {"Signature": b64(good) if mangle is None else mangle(good)} | (after or {})
        sent = {k: v for k, v in sent.items() if v is not None}
        headers = [("content-type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", str(sent.get("Type"))), ("x-amz-sns-message-id", str(sent.get("MessageId")))]
        names = {"message_id": message["MessageId"], "event_type": message["Type"]} if verdict == ACCEPT else {}
        out.add(name, verdict, [], headers, compact(sent) if body is None else body, **names)

    first = NOTIFICATION | {"SignatureVersion": "1"}
    put("plain", ACCEPT, NOTIFICATION)
    put("version-1", ACCEPT, first)
    put("without-subject", ACCEPT, {k: v for k, v in NOTIFICATION.items() if k != "Subject"})
    put("message-unicode", ACCEPT, NOTIFICATION | {"Message": json.dumps({"note": NOTE}) + "\r\n"})
    put("subscription-confirmation", ACCEPT, CONFIRMATION)
    put("unsubscribe-confirmation", ACCEPT, CONFIRMATION | {"Type": "UnsubscribeConfirmation"})
    put("unsigned-field-is-not-covered", ACCEPT, NOTIFICATION, {"UnsubscribeURL": "https://example.com/"})
    for field in ("Message", "MessageId", "Timestamp", "TopicArn", "Subject"):
        put(f"altered-{field.lower()}", MISMATCH, NOTIFICATION, {field: NOTIFICATION[field] + "x"})
    put("subject-added", MISMATCH, {k: v for k, v in NOTIFICATION.items() if k != "Subject"}, {"Subject": "x"})
    put("subject-removed", MISMATCH, NOTIFICATION, {"Subject": None})
    put("altered-subscribe-url", MISMATCH, CONFIRMATION, {"SubscribeURL": "https://example.com/"})
    put("altered-token", MISMATCH, CONFIRMATION, {"Token": "x"})
    put("type-altered", REFUSED, NOTIFICATION, {"Type": "SubscriptionConfirmation"})
    put("secret-wrong", MISMATCH, NOTIFICATION, signer=other)
    put("version-2-signed-with-sha1", MISMATCH, NOTIFICATION, sign=pk.sign_rsa_sha1)
    put("version-1-signed-with-sha256", MISMATCH, first, sign=pk.sign_rsa_sha256)
    put("version-lowered", MISMATCH, NOTIFICATION, {"SignatureVersion": "1"})
    put("version-unknown", REFUSED, NOTIFICATION | {"SignatureVersion": "3"})
    for name, url in SNS_FOREIGN.items():
        put(f"cert-url-{name}", REFUSED, NOTIFICATION | {"SigningCertURL": url}, signer=other)
    put("cert-url-unknown", REFUSED, NOTIFICATION | {"SigningCertURL": SNS_URL.replace("-000", "-111")})
    for field in ("Signature", "SignatureVersion", "SigningCertURL", "Type", "Message", "MessageId", "Timestamp", "TopicArn"):
        put(f"{field.lower()}-missing", REFUSED, NOTIFICATION, {field: None})
    for name, mangle in [("empty", lambda s: ""), ("truncated", lambda s: b64(s[:-1])), ("appended-octet", lambda s: b64(s + b"\0")), ("not-base64", lambda s: "!" + b64(s)), ("number", lambda s: 1)]:
        put(f"signature-{name}", REFUSED, NOTIFICATION, mangle=mangle)
    put("signature-one-bit", REFUSED, NOTIFICATION, mangle=lambda s: b64(flip_last(s)))
    put("message-not-text", REFUSED, NOTIFICATION, {"Message": {"a": 1}})
    for name, body in [("empty-body", b""), ("not-json", b"Type=Notification"), ("json-list", b"[]")]:
        put(name, REFUSED, NOTIFICATION, body=body)
    return out


EBAY_KIDS = {"key": "9936261a-7d7b-4621-a0f1-964df81f66d3", "foreign key": "00000000-7d7b-4621-a0f1-964df81f66d3"}


@file("ebay")
def ebay():
    key, other = (pk.p256_key(f"ebay {label}") for label in EBAY_KIDS)
    kid = EBAY_KIDS["key"]
    out = Cases("ebay", {"public_url": "https://hooks.example.com/webhooks/ebay"}, {kid: pk.spki_pem(key), EBAY_KIDS["foreign key"]: pk.spki_pem(other)})
    event = {"metadata": {"topic": "MARKETPLACE_ACCOUNT_DELETION", "schemaVersion": "1.0"}, "notification": {"notificationId": uuid("ebay"), "data": {"username": "test_user"}}}
    body = compact(event)

    def envelope(raw, **more):
        fields = {"alg": "ecdsa", "kid": kid, "signature": b64(raw), "digest": "SHA1"} | more
        return b64(compact({k: v for k, v in fields.items() if v is not None}))

    def put(name, verdict, value, sent=body):
        values = [value] if isinstance(value, str) else value
        names = {"message_id": event["notification"]["notificationId"], "event_type": event["metadata"]["topic"]} if verdict == ACCEPT else {}
        out.add(name, verdict, [], [JSON] + [("x-ebay-signature", v) for v in values], sent, **names)

    raw = pk.sign_p256_sha1(key, body)
    noted = compact(event | {"note": "\u00e9 \u65e5\u672c"})
    put("plain", ACCEPT, envelope(raw))
    put("body-unicode", ACCEPT, envelope(pk.sign_p256_sha1(key, noted)), noted)
    put("another-known-key", ACCEPT, envelope(pk.sign_p256_sha1(other, body), kid=EBAY_KIDS["foreign key"]))
    put("body-altered", MISMATCH, envelope(raw), noted)
    put("body-altered-last-octet", MISMATCH, envelope(raw), flip_last(body))
    put("secret-wrong", MISMATCH, envelope(pk.sign_p256_sha1(other, body)))
    put("signed-with-sha256", MISMATCH, envelope(pk.sign_p256(key, body)))
    for name, value in [
        ("signature-truncated", envelope(raw[:-1])), ("signature-appended-octet", envelope(raw + b"\0")), ("signature-empty", envelope(b"")), ("signature-number", envelope(raw, signature=1)),
        ("signature-member-missing", envelope(raw, signature=None)), ("kid-missing", envelope(raw, kid=None)), ("kid-unknown", envelope(raw, kid=uuid("ebay unknown"))),
        ("kid-leaves-the-path", envelope(raw, kid="../../evil")), ("kid-with-query", envelope(raw, kid=kid + "?a=b")), ("kid-number", envelope(raw, kid=1)), ("header-empty", ""),
        ("header-not-base64", "!" + envelope(raw)), ("header-not-json", b64(b"kid")), ("header-a-list", b64(b"[]")), ("header-bare-signature", b64(raw)),
    ]:
        put(name, REFUSED, value)
    put("signature-missing", MISSING, [])
    put("signature-repeated", REPEATED, [envelope(raw), envelope(raw)])
    return out


@file("plaid")
def plaid():
    kid, other_kid = "bfbd5111-8e33-4643-8ced-b2e642a72f3c", "6c5516e1-92dc-479e-a8ff-5a51992e0001"
    key, other = pk.p256_key("plaid key"), pk.p256_key("plaid foreign key")
    out = Cases("plaid", fetched_keys={kid: pk.spki_pem(key), other_kid: pk.spki_pem(other)})
    event = {"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE", "item_id": "wz666MBjYWTp2PDzzggYhM6oWWmBb", "environment": "sandbox"}
    body = compact(event)

    def of(signed=body, signer=key, header=None, sign=pk.sign_p256_raw, mangle=None, **claims):
        whole = {"iat": NOW - 1, "request_body_sha256": hashlib.sha256(signed).hexdigest()} | claims
        head = {"alg": "ES256", "kid": kid, "typ": "JWT"} | (header or {})
        text = segment({k: v for k, v in head.items() if v is not None}) + "." + segment({k: v for k, v in whole.items() if v is not None})
        raw = sign(signer, text.encode())
        return text + "." + segment(mangle(raw) if mangle else raw)

    def put(name, verdict, value, sent=body):
        values = [value] if isinstance(value, str) else value
        out.add(name, verdict, [], [JSON] + [("Plaid-Verification", v) for v in values], sent)

    def confused(_, content):
        import hmac
        return hmac.digest(pk.spki_pem(key).encode(), content, "sha256")

    noted = json.dumps(event | {"note": NOTE}, indent=2, ensure_ascii=False).encode()
    put("plain", ACCEPT, of())
    put("body-unicode-and-spaces", ACCEPT, of(noted), noted)
    put("another-known-key", ACCEPT, of(signer=other, header={"kid": other_kid}))
    put("issued-just-within-tolerance", ACCEPT, of(iat=NOW - 298))
    put("body-altered", MISMATCH, of(), noted)
    put("body-altered-emptied", MISMATCH, of(), b"")
    put("secret-wrong", MISMATCH, of(signer=other))
    put("timestamp-stale", REFUSED, of(iat=NOW - DAY))
    put("timestamp-just-outside-tolerance", REFUSED, of(iat=NOW - 302))
    put("timestamp-missing", REFUSED, of(iat=None))
    put("timestamp-not-a-number", REFUSED, of(iat="now"))
    put("body-claim-missing", REFUSED, of(request_body_sha256=None))
    put("body-claim-truncated", REFUSED, of(request_body_sha256=hashlib.sha256(body).hexdigest()[:-2]))
    put("kid-missing", REFUSED, of(header={"kid": None}))
    put("kid-unknown", REFUSED, of(header={"kid": uuid("plaid unknown")}))
    put("kid-leaves-the-path", REFUSED, of(header={"kid": "../../evil"}))
    put("algorithm-none", REFUSED, of(header={"alg": "none"}, sign=lambda *_: b""))
    put("algorithm-hs256-keyed-with-public-key", REFUSED, of(header={"alg": "HS256"}, sign=confused))
    put("algorithm-named-otherwise", REFUSED, of(header={"alg": "RS256"}))
    put("signature-in-der", REFUSED, of(sign=pk.sign_p256))
    put("signature-truncated", REFUSED, of(mangle=lambda s: s[:-1]))
    put("signature-appended-octet", REFUSED, of(mangle=lambda s: s + b"\0"))
    put("signature-empty", REFUSED, of(mangle=lambda s: b""))
    put("signature-of-zeros", REFUSED, of(mangle=lambda s: bytes(64)))
    put("signature-one-bit", MISMATCH, of(mangle=flip_last))
    put("two-parts", REFUSED, of().rsplit(".", 1)[0])
    put("header-empty", REFUSED, "")
    put("signature-missing", MISSING, [])
    put("signature-repeated", REPEATED, [of(), of()])
    return out
