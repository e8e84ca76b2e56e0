"""The second reading of the schemes that no row of `reading.py` can say.

Gives `READERS`: file name -> function (document, case) -> (defects, secrets that match).
"""

import base64
import hashlib
import hmac
import json
import re
import urllib.parse

import public_keys
from common import MALFORMED, MISMATCH, MISSING, REPEATED, STALE
from reading import by_name, octets_of, time_of, whole_url

READERS = {}


def reads(*names):
    def register(function):
        for name in names:
            READERS[name] = function
        return function
    return register


def body_of(case):
    return base64.b64decode(case["body_base64"], validate=True)


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        return None


def only(found, name):
    """The one value of a header, or the defect."""
    values = found.get(name, [])
    return (values[0], None) if len(values) == 1 else (None, REPEATED if values else MISSING)


def verdict(hits):
    return (set() if hits else {MISMATCH}), hits


def at(value, path):
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


@reads("twilio")
def twilio(document, case):
    found, body = by_name(case), body_of(case)
    value, fault = only(found, "x-twilio-signature")
    if fault:
        return {fault}, []
    given = octets_of(value, "base64")
    if given is None or len(given) != 20:
        return {MALFORMED}, []
    content = whole_url(document, case)
    hashes = [v for n, v in urllib.parse.parse_qsl(case.get("query", "")) if n == "bodySHA256"]
    bad = set()
    if "form" not in found["content-type"][0]:
        if hashes != [hashlib.sha256(body).hexdigest()]:
            bad.add(MISMATCH)
    else:
        pairs = {tuple(urllib.parse.unquote_plus(p) for p in (f + "=").split("=")[:2]) for f in body.decode().split("&") if f}
        content += "".join(n + v for n, v in sorted(pairs))
    hits = [n for n, s in enumerate(case["secrets"]) if hmac.compare_digest(hmac.digest(s.encode(), content.encode(), "sha1"), given)]
    return (bad if hits else bad | {MISMATCH}), hits


@reads("adyen")
def adyen(document, case):
    items = at(parsed(body_of(case)), ["notificationItems"])
    if not isinstance(items, list) or not items:
        return {MALFORMED}, []
    left = set(range(len(case["secrets"])))
    for outer in items:
        item = at(outer, ["NotificationRequestItem"])
        text = at(item, ["additionalData", "hmacSignature"])
        given = octets_of(text, "base64") if isinstance(text, str) else None
        if given is None or len(given) != 32:
            return {MALFORMED}, []
        paths = [["pspReference"], ["originalReference"], ["merchantAccountCode"], ["merchantReference"], ["amount", "value"], ["amount", "currency"], ["eventCode"], ["success"]]
        fields = [at(item, p) for p in paths]
        content = ":".join("" if f is None else str(f) for f in fields).encode()
        left &= {n for n, s in enumerate(case["secrets"]) if hmac.compare_digest(hmac.digest(bytes.fromhex(s), content, "sha256"), given)}
    return verdict(sorted(left))


@reads("mailgun")
def mailgun(document, case):
    signature = at(parsed(body_of(case)), ["signature"])
    fields = [at(signature, [n]) for n in ("timestamp", "token", "signature")]
    if not all(isinstance(f, str) for f in fields):
        return {MALFORMED}, []
    stamp, token, text = fields
    time, given = time_of(stamp, "s"), octets_of(text, "hex")
    if time is None or given is None or len(given) != 32:
        return {MALFORMED}, []
    bad = {STALE} if abs(time - document["now"]) > 3600 else set()
    hits = [n for n, s in enumerate(case["secrets"]) if hmac.compare_digest(hmac.digest(s.encode(), (stamp + token).encode(), "sha256"), given)]
    return (bad if hits else bad | {MISMATCH}), hits


def header_token(header, prefix=""):
    def read(document, case):
        value, fault = only(by_name(case), header)
        if fault:
            return {fault}, []
        if not value.startswith(prefix) or value == prefix:
            return {MALFORMED}, []
        return verdict([n for n, s in enumerate(case["secrets"]) if prefix + s == value])
    return read


for _name, _header in {"gitlab": "x-gitlab-token", "telegram": "x-telegram-bot-api-secret-token", "hugging-face": "x-webhook-secret", "ringcentral": "verification-token", "okta": "authorization", "auth0": "authorization"}.items():
    READERS[_name] = header_token(_header)
READERS["cloudevents"] = header_token("authorization", "Bearer ")


def json_token(path):
    def read(document, case):
        value = at(parsed(body_of(case)), path)
        return verdict([n for n, s in enumerate(case["secrets"]) if value == s]) if isinstance(value, str) and value else ({MALFORMED}, [])
    return read


READERS["figma"] = json_token(["passcode"])
READERS["microsoft-graph"] = READERS["sharepoint"] = json_token(["value", 0, "clientState"])


@reads("event-grid")
def event_grid(document, case):
    values = urllib.parse.parse_qs(case.get("query", ""), keep_blank_values=True).get("token", [])
    if len(values) != 1 or not values[0]:
        return {REPEATED if len(values) > 1 else MISSING}, []
    return verdict([n for n, s in enumerate(case["secrets"]) if s == values[0]])


@reads("postmark", "chargebee", "pipedrive", "recurly")
def basic(document, case):
    value, fault = only(by_name(case), "authorization")
    if fault:
        return {fault}, []
    match = re.fullmatch("(?i:basic) ([A-Za-z0-9+/]+=*)", value)
    credentials = octets_of(match.group(1), "base64") if match else None
    if credentials is None or b":" not in credentials:
        return {MALFORMED}, []
    return verdict([n for n, s in enumerate(case["secrets"]) if s.encode() == credentials])


def token_parts(value):
    """The header, the claims, the signature and what is signed, or None."""
    parts = value.split(".")
    if len(parts) != 3 or not all(re.fullmatch("[A-Za-z0-9_-]+", p) for p in parts):
        return None
    raw = [octets_of(p, "base64url") for p in parts]
    if None in raw:
        return None
    header, claims = parsed(raw[0]), parsed(raw[1])
    return (header, claims, raw[2], f"{parts[0]}.{parts[1]}".encode()) if isinstance(header, dict) and isinstance(claims, dict) and "crit" not in header else None


def times_hold(claims, now):
    for name, holds in (("exp", lambda t: now < t), ("nbf", lambda t: t <= now)):
        if name in claims and not (isinstance(claims[name], int) and holds(claims[name])):
            return False
    return True


def hs256(header, prefix="", body_claim=None):
    def read(document, case):
        value, fault = only(by_name(case), header)
        if fault:
            return {fault}, []
        parts = token_parts(value.removeprefix(prefix)) if value.startswith(prefix) else None
        if parts is None or parts[0].get("alg") != "HS256" or len(parts[2]) != 32:
            return {MALFORMED}, []
        _, claims, given, signed = parts
        bad = set() if times_hold(claims, document["now"]) else {STALE}
        if body_claim and claims.get(body_claim) != hashlib.sha256(body_of(case)).hexdigest():
            bad.add(MISMATCH)
        hits = [n for n, s in enumerate(case["secrets"]) if hmac.compare_digest(hmac.digest(s.encode(), signed, "sha256"), given)]
        return (bad if hits else bad | {MISMATCH}), hits
    return read


READERS["netlify"] = hs256("x-webhook-signature", body_claim="sha256")
READERS["monday"] = hs256("authorization")
READERS["vonage"] = hs256("authorization", "Bearer ", "payload_hash")


# --------------------------------------------------------------------------- public keys

@reads("plaid")
def plaid(document, case):
    value, fault = only(by_name(case), "plaid-verification")
    if fault:
        return {fault}, []
    parts = token_parts(value)
    if parts is None or parts[0].get("alg") != "ES256" or len(parts[2]) != 64:
        return {MALFORMED}, []
    header, claims, given, signed = parts
    key = document["fetched_keys"].get(header.get("kid"))
    if key is None or not isinstance(claims.get("iat"), int):
        return {MALFORMED}, []
    bad = {STALE} if abs(document["now"] - claims["iat"]) > 300 else set()
    holds = public_keys.holds("p256 raw", key, signed, given) and claims.get("request_body_sha256") == hashlib.sha256(body_of(case)).hexdigest()
    return (bad, []) if holds else (bad | {MISMATCH}, [])


@reads("ebay")
def ebay(document, case):
    value, fault = only(by_name(case), "x-ebay-signature")
    if fault:
        return {fault}, []
    raw = octets_of(value, "base64")
    envelope = parsed(raw) if raw else None
    key = document["fetched_keys"].get(at(envelope, ["kid"])) if isinstance(at(envelope, ["kid"]), str) else None
    text = at(envelope, ["signature"])
    given = octets_of(text, "base64") if isinstance(text, str) else None
    if key is None or not given:
        return {MALFORMED}, []
    return (set(), []) if public_keys.holds("p256 sha1", key, body_of(case), given) else ({MISMATCH}, [])


SNS = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    "UnsubscribeConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}


@reads("aws-sns")
def sns(document, case):
    message = parsed(body_of(case))
    names = SNS.get(at(message, ["Type"]))
    version, url, text = (at(message, [n]) for n in ("SignatureVersion", "SigningCertURL", "Signature"))
    if names is None or version not in ("1", "2") or not isinstance(text, str):
        return {MALFORMED}, []
    given = octets_of(text, "base64")
    if not given or not isinstance(url, str) or not re.fullmatch(r"https://sns\.[a-z0-9-]+\.amazonaws\.com/[A-Za-z0-9._-]+\.pem", url) or url not in document["fetched_keys"]:
        return {MALFORMED}, []
    if any(not isinstance(message.get(n, "" if n == "Subject" else None), str) for n in names):
        return {MALFORMED}, []
    content = "".join(f"{n}\n{message[n]}\n" for n in names if n in message).encode()
    alg = "rsa-sha1" if version == "1" else "rsa-sha256"
    return (set(), []) if public_keys.holds(alg, document["fetched_keys"][url], content, given) else ({MISMATCH}, [])


@reads("paypal")
def paypal(document, case):
    from reading import defects
    bad, _ = defects(document, case)
    url = by_name(case).get("paypal-cert-url", [""])[0]
    if not re.fullmatch(r"https://api(\.sandbox)?\.paypal\.com/[A-Za-z0-9/._-]+", url):
        bad = bad | {MISMATCH}
    return bad, []


@reads("standard-webhooks-v1a")
def v1a(document, case):
    found, body = by_name(case), body_of(case)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = [only(found, n) for n in names]
    faults = {f for _, f in values if f}
    if faults:
        return {REPEATED} if REPEATED in faults else {MISSING}, []
    (msg, _), (stamp, _), (text, _) = values
    time = time_of(stamp, "s")
    bad = set() if time is not None else {MALFORMED}
    if time is not None and abs(time - document["now"]) > 300:
        bad.add(STALE)
    content = f"{msg}.{stamp}.".encode() + body
    entries = [e.split(",", 1) for e in text.split(" ") if "," in e]
    public = [g for label, e in entries if label == "v1a" and (g := octets_of(e, "base64")) and len(g) == 64]
    secret = [g for label, e in entries if label == "v1" and (g := octets_of(e, "base64")) and len(g) == 32]
    hits, usable = [], False
    for n, s in enumerate(case["secrets"]):
        key = base64.b64decode(s.split("_", 1)[1])
        mine = public if s.startswith("whpk_") else secret
        usable = usable or bool(mine)
        if any(public_keys.holds("ed25519", base64.b64encode(key).decode(), content, g) if s.startswith("whpk_") else hmac.compare_digest(hmac.digest(key, content, "sha256"), g) for g in mine):
            hits.append(n)
    if not usable:
        bad.add(MALFORMED)
    elif not hits:
        bad.add(MISMATCH)
    return bad, hits
