"""A second reading of the schemes of `table_hmac.py` and `table_keys.py`, written apart from them.

Takes a file's document and gives, per case, the defects of the request and the secrets that match it. The signers there
are functions; here a scheme is a row of text: header, entry pattern, content template. `judge` holds the two against
each other. Schemes that no row can say are in `reading_native.py`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from datetime import datetime, timezone

from common import ACCEPT, MALFORMED, MAX_ENTRIES, MIN_SECRET, MISMATCH, MISSING, PRECEDENCE, REFUSED, REPEATED, STALE

HEX = "(?P<s>[0-9a-fA-F]*)"
B64 = "(?P<s>[A-Za-z0-9+/=]*)"
SW = "v1,(?P<s>[A-Za-z0-9+/=]*)"
FIVE = 300
ANY = 3600  # the vendor names no tolerance; the vectors are then a day away, or at `now`

STANDARD_WEBHOOKS = [
    "clerk", "resend", "replicate", "lithic", "incident-io", "brex", "360learning", "signatureapi", "openai", "polar", "bigcommerce", "shipbob", "gitlab-signing", "beam", "gemini",
]
SVIX_NAMED = ["clerk", "resend"]
WHOLE_TEXT_KEY = ["polar", "bigcommerce", "beam"]

R = {}


def row(name, header, entry, content="{body}", alg="sha256", enc="hex", split=None, time=None, key="utf8", also=()):
    R[name] = {"header": header, "entry": entry, "content": content, "alg": alg, "enc": enc, "split": split, "time": time, "key": key, "also": also}


for _name in STANDARD_WEBHOOKS:
    _p = "svix" if _name in SVIX_NAMED else "webhook"
    row(_name, f"{_p}-signature", SW, "{h:" + _p + "-id}.{time}.{body}", enc="base64", split=" ", time=(f"{_p}-timestamp", "s", FIVE),
        key="utf8" if _name in WHOLE_TEXT_KEY else "whsec", also=(f"{_p}-id",))

row("iron", "webhook-signature", "v1=" + HEX, "{time}{body}", time=("webhook-timestamp", "s", ANY))
row("emailit", "x-emailit-signature", HEX, "{time}.{body}", time=("x-emailit-timestamp", "s", FIVE))
row("elevenlabs", "elevenlabs-signature", "v0=" + HEX, "{time}.{body}", split=",", time=("t=", "s", 1800))
for _name in ("github", "meta", "whatsapp"):
    row(_name, "x-hub-signature-256", "sha256=" + HEX)
for _name in ("bitbucket", "jira", "websub"):
    row(_name, "x-hub-signature", "sha256=" + HEX)
for _name, _header in {
    "gitea": "x-gitea-signature", "forgejo": "x-forgejo-signature", "asana": "x-hook-signature", "dropbox": "x-dropbox-signature", "sentry": "sentry-hook-signature",
    "coinbase-commerce": "x-cc-webhook-signature", "nylas": "x-nylas-signature", "razorpay": "x-razorpay-signature", "gocardless": "webhook-signature",
    "alchemy": "x-alchemy-signature", "uber": "x-uber-signature", "clickup": "x-signature", "grafana": "x-grafana-alerting-signature", "smartcar": "sc-signature",
}.items():
    row(_name, _header, HEX)
for _name, _header in {
    "shopify": "x-shopify-hmac-sha256", "xero": "x-xero-signature", "line": "x-line-signature", "woocommerce": "x-wc-webhook-signature", "tally": "tally-signature",
}.items():
    row(_name, _header, B64, enc="base64")
row("linear", "linear-signature", HEX, time=("/webhookTimestamp", "ms", 60))
row("intercom", "x-hub-signature", "sha1=" + HEX, alg="sha1")
row("typeform", "typeform-signature", "sha256=" + B64, enc="base64")
row("square", "x-square-hmacsha256-signature", B64, "{url}{body}", enc="base64")
row("docusign", "x-docusign-signature-1,x-docusign-signature-2", B64, enc="base64")
row("x", "x-twitter-webhooks-signature", "sha256=" + B64, enc="base64")
row("pagerduty", "x-pagerduty-signature", "v1=" + HEX, split=",")
row("notion", "x-notion-signature", "sha256=" + HEX)
row("vercel", "x-vercel-signature", HEX, alg="sha1")
row("circleci", "circleci-signature", "v1=" + HEX, split=",")
row("segment", "x-signature", HEX, alg="sha1")
row("airtable", "x-airtable-content-mac", "hmac-sha256=" + HEX, key="base64")
row("trello", "x-trello-webhook", B64, "{body}{url}", alg="sha1", enc="base64")
row("linkedin", "x-li-signature", HEX, "hmacsha256={body}")
row("paystack", "x-paystack-signature", HEX, alg="sha512")
row("worldpay", "event-signature", "[0-9]+/SHA256/" + HEX, split=",")
row("solidgate", "signature", B64, "{parameter:merchant}{body}{parameter:merchant}", alg="sha512", enc="base64 of hex")
row("tebex", "x-signature", HEX, "{sha256 of body}")
row("stripe", "stripe-signature", "v1=" + HEX, "{time}.{body}", split=",", time=("t=", "s", FIVE))
row("slack", "x-slack-signature", "v0=" + HEX, "v0:{time}:{body}", time=("x-slack-request-timestamp", "s", FIVE))
row("paddle", "paddle-signature", "h1=" + HEX, "{time}:{body}", split=";", time=("ts=", "s", ANY))
row("zoom", "x-zm-signature", "v0=" + HEX, "v0:{time}:{body}", time=("x-zm-request-timestamp", "s", ANY))
row("hubspot", "x-hubspot-signature-v3", B64, "{method}{hubspot url}{body}{time}", enc="base64", time=("x-hubspot-request-timestamp", "ms", FIVE))
row("calendly", "calendly-webhook-signature", "v1=" + HEX, "{time}.{body}", split=",", time=("t=", "s", 180))
row("zendesk", "x-zendesk-webhook-signature", B64, "{time}{body}", enc="base64", time=("x-zendesk-webhook-signature-timestamp", "iso", ANY))
row("box", "box-signature-primary,box-signature-secondary", B64, "{body}{time}", enc="base64", time=("box-delivery-timestamp", "iso", 600))
row("workos", "workos-signature", "v1=" + HEX, "{time}.{body}", split=",", time=("t=", "ms", 180))
row("twitch", "twitch-eventsub-message-signature", "sha256=" + HEX, "{h:twitch-eventsub-message-id}{time}{body}", time=("twitch-eventsub-message-timestamp", "iso", 600),
    also=("twitch-eventsub-message-id",))
row("webflow", "x-webflow-signature", HEX, "{time}:{body}", time=("x-webflow-timestamp", "ms", ANY))
row("front", "x-front-signature", B64, "{time}:{body}", enc="base64", time=("x-front-request-timestamp", "ms", FIVE))
row("customer-io", "x-cio-signature", HEX, "v0:{time}:{body}", time=("x-cio-timestamp", "s", ANY))
row("persona", "persona-signature", "v1=" + HEX, "{time}.{body}", split="[ ,]", time=("t=", "s", ANY))
row("revolut", "revolut-signature", "v1=" + HEX, "v1.{time}.{body}", split=",", time=("revolut-request-timestamp", "ms", ANY))
row("airwallex", "x-signature", HEX, "{time}{body}", time=("x-timestamp", "ms", ANY))
row("knock", "x-knock-signature", "s=" + B64, "{time}.{body}", enc="base64", split=",", time=("t=", "ms", FIVE))
row("sanity", "sanity-webhook-signature", "v1=(?P<s>[A-Za-z0-9_=-]*)", "{time}.{body}", enc="base64url", split=",", time=("t=", "ms", ANY))
row("orb", "x-orb-signature", "v1=" + HEX, "v1:{time}:{body}", split=" ", time=("x-orb-timestamp", "iso", FIVE))
row("statsig", "x-statsig-signature", "v0=" + HEX, "v0:{time}:{body}", time=("x-statsig-request-timestamp", "ms", ANY))
row("tiktok", "tiktok-signature", "s=" + HEX, "{time}.{body}", split=",", time=("t=", "s", ANY))
row("buildkite", "x-buildkite-signature", "signature=" + HEX, "{time}.{body}", split=",", time=("timestamp=", "s", ANY))
row("oura", "x-oura-signature", "(?P<s>[0-9A-F]*)", "{time}{body}", time=("x-oura-timestamp", "s", ANY))
row("discord", "x-signature-ed25519", HEX, "{time}{body}", alg="ed25519", time=("x-signature-timestamp", "s", ANY), key="hex")
row("telnyx", "telnyx-signature-ed25519", B64, "{time}|{body}", alg="ed25519", enc="base64", time=("telnyx-timestamp", "s", FIVE), key="base64")
row("sendgrid", "x-twilio-email-event-webhook-signature", B64, "{time}{body}", alg="p256", enc="base64", time=("x-twilio-email-event-webhook-timestamp", "s", ANY), key="der")
row("wechat-pay", "wechatpay-signature", B64, "{time}\n{h:wechatpay-nonce}\n{body}\n", alg="rsa-sha256", enc="base64", time=("wechatpay-timestamp", "s", ANY), key="pem",
    also=("wechatpay-nonce",))
row("paypal", "paypal-transmission-sig", B64, "{h:paypal-transmission-id}|{time}|{parameter:webhook_id}|{crc32 of body}", alg="rsa-sha256", enc="base64",
    time=("paypal-transmission-time", "iso", None), key="fetched:paypal-cert-url", also=("paypal-transmission-id", "paypal-cert-url"))

LENGTHS = {"sha1": 20, "sha256": 32, "sha512": 64, "ed25519": 64}


def octets_of(text, enc):
    """The octets that `text` stands for, or None. Base64 must be canonical."""
    try:
        if enc == "hex":
            return bytes.fromhex(text)
        if enc == "base64url":
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == text.rstrip("=").encode() else None
        raw = base64.b64decode(text, validate=True)
        if base64.b64encode(raw).decode() != text:
            return None
        return bytes.fromhex(raw.decode("ascii")) if enc == "base64 of hex" else raw
    except (ValueError, binascii.Error):
        return None


def time_of(text, unit):
    """Unix seconds, or None where `text` is not a time."""
    if unit in ("s", "ms"):
        if not re.fullmatch(r"[1-9][0-9]{0,15}", text, re.ASCII):
            return None
        return int(text) / (1000 if unit == "ms" else 1)
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", text, re.ASCII)
    if not match:
        return None
    zone = (match.group(3) or "Z").replace("Z", "+00:00")
    return datetime.fromisoformat(match.group(1) + zone).astimezone(timezone.utc).timestamp()


def by_name(case):
    found = {}
    for name, value in case["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def whole_url(document, case):
    url = document.get("source", {}).get("public_url", "")
    return url + ("?" + case["query"] if case.get("query") else "")


def key_of(secret, kind):
    raw = {"utf8": lambda: secret.encode(), "base64": lambda: base64.b64decode(secret, validate=True), "whsec": lambda: base64.b64decode(secret.removeprefix("whsec_"), validate=True)}[kind]()
    assert len(raw) >= MIN_SECRET, secret
    return raw


def fill(template, document, case, found, time, body):
    url = whole_url(document, case)
    hubspot = re.sub("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", lambda m: chr(int(m.group(1), 16)), url)
    known = {
        "body": body, "time": time.encode(), "url": url.encode(), "method": case.get("method", "POST").encode(), "hubspot url": hubspot.encode(),
        "sha256 of body": hashlib.sha256(body).hexdigest().encode(), "crc32 of body": str(binascii.crc32(body)).encode(),
    }

    def one(match):
        name = match.group(1).decode()
        if name.startswith("h:"):
            return found[name[2:]][0].encode()
        if name.startswith("parameter:"):
            return document["source"]["parameters"][name[len("parameter:"):]].encode()
        return known[name]

    return re.sub(rb"\{([^}]*)\}", one, template.encode())


def find_time(rule, found, entries, body):
    """The text of the time, or the defect."""
    place = rule["time"][0]
    if place.endswith("="):
        stamps = {e.removeprefix(place) for e in entries if e.startswith(place)}
        return (stamps.pop(), None) if len(stamps) == 1 else (None, MISSING)
    if place.startswith("/"):
        try:
            value = json.loads(body).get(place[1:])
        except (ValueError, AttributeError):
            return None, MALFORMED
        return (str(value), None) if value is not None else (None, MISSING)
    values = found.get(place, [])
    return (values[0], None) if len(values) == 1 else (None, REPEATED if values else MISSING)


def defects(document, case):
    rule, found, body = R[document["provider"]], by_name(case), base64.b64decode(case["body_base64"], validate=True)
    names = rule["header"].split(",")
    present = [n for n in names if n in found]
    singles = present + list(rule["also"])
    if any(len(found.get(n, [])) > 1 for n in singles):
        return {REPEATED}, []
    if not present or any(n not in found for n in rule["also"]):
        return {MISSING}, []
    entries = [e.strip() for n in present for e in (re.split(rule["split"], found[n][0]) if rule["split"] else [found[n][0]])]
    time = ""
    bad = set()
    if rule["time"]:
        time, fault = find_time(rule, found, entries, body)
        if fault:
            return {fault}, []
        at = time_of(time, rule["time"][1])
        if at is None:
            bad.add(MALFORMED)
        elif rule["time"][2] is not None and abs(document["now"] - at) > rule["time"][2]:
            bad.add(STALE)
    matches = [re.fullmatch(rule["entry"], e, re.ASCII) for e in entries]
    given = [octets_of(m.group("s"), rule["enc"]) for m in matches if m]
    given = [g for g in given if g and (rule["alg"] not in LENGTHS or len(g) == LENGTHS[rule["alg"]])]
    if not given or len(entries) > MAX_ENTRIES:
        return bad | {MALFORMED}, []
    hits = matching(rule, document, case, found, fill(rule["content"], document, case, found, time, body), given)
    return (bad if hits else bad | {MISMATCH}), hits


def matching(rule, document, case, found, content, given):
    if rule["alg"] in ("sha1", "sha256", "sha512"):
        return [n for n, s in enumerate(case["secrets"]) if any(hmac.compare_digest(hmac.digest(key_of(s, rule["key"]), content, rule["alg"]), g) for g in given)]
    import public_keys
    if rule["key"].startswith("fetched:"):
        keys = [document["fetched_keys"].get(found[rule["key"].split(":", 1)[1]][0])]
    else:
        keys = case["secrets"]
    return [n for n, k in enumerate(keys) if k is not None and any(public_keys.holds(rule["alg"], k, content, g) for g in given)]


def judge(document, read, several=()):
    """Raises unless every verdict of the file is the one that `read` comes to. `read(document, case)` gives defects and hits."""
    for case in document["cases"]:
        where = f"{document['provider']}: {case['name']}"
        bad, hits = read(document, case)
        found = next((v for v in PRECEDENCE if v in bad), ACCEPT)
        if case["verdict"] == REFUSED:
            assert found != ACCEPT, f"{where}: nothing is wrong with it"
            continue
        assert found == case["verdict"], f"{where}: stated {case['verdict']}, found {sorted(bad)}"
        if found != ACCEPT:
            continue
        if "key_index" in case:
            assert hits == [case["key_index"]], f"{where}: {hits}"
        body = base64.b64decode(case["body_base64"])
        text = body.decode("utf-8", "replace") + "\n".join(v for _, v in case["headers"])
        for name in ("message_id", "event_type"):
            assert name not in case or case[name] in text or case[name].replace("/", "\\/") in text, f"{where}: no {name} {case[name]!r}"
