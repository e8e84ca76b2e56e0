#!/usr/bin/env python3
"""Makes tests/handshakes.json: what each provider asks, and what it wants to hear.

Shares nothing with src/: the answers are written down from the providers' documentation, their hashes computed here.

    tests/handshakes.py > tests/handshakes.json
"""

import base64
import hashlib
import hmac
import json

SECRET = "a secret that only the two of us know"
TOKEN = "a-token-of-32-to-80-characters_012345"
URL = "https://hooks.example.com/webhooks/source"

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


def mac(text):
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()


def answer(body="", content_type=None, status=200, headers=None):
    if content_type == JSON:
        body = json.dumps(body)
    return {"status": status, "content_type": content_type, "headers": headers or {}, "body": body}


def ask(provider, name, answer, method="POST", query=None, headers=None, body=""):
    """`answer` is an answer, "refused" (it is a handshake that can't be answered) or "other" (it is none)."""
    if not isinstance(body, str):
        body = json.dumps(body)
    request = {"method": method, "query": query, "headers": headers or {}, "body": body}
    return {"provider": provider, "name": name, "request": request, "answer": answer}


def get(provider, name, query, answer, headers=None):
    return ask(provider, name, answer, method="GET", query=query, headers=headers)


def texts():
    slack = {"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}
    yield ask("slack", "url_verification", answer(slack["challenge"], TEXT), body={**slack, "type": "url_verification"})
    yield ask("slack", "an event", "other", body={"type": "event_callback", "event": {"type": "message"}, "challenge": "x"})
    for provider in ("meta",):
        query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
        yield get(provider, "subscribe", query + TOKEN, answer("1158201444", TEXT))
        yield get(provider, "another token", query + "x" + TOKEN[1:], "refused")
        yield get(provider, "no token", query, "refused")
        yield get(provider, "not a handshake", "hub.mode=other&hub.challenge=1&hub.verify_token=" + TOKEN, "other")
    for provider in ("dropbox", "nylas"):
        yield get(provider, "challenge", "challenge=LgErVCYwRz-6.abc", answer("LgErVCYwRz-6.abc", TEXT))
        script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
        yield get(provider, "a script is text", "challenge=" + script, answer("<script>alert(1)</script>", TEXT))
        yield get(provider, "twice", "challenge=a&challenge=b", "refused")
        yield get(provider, "none", "", "other")
    token = "Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+5fe2a0a3"
    plain = "Validation: Testing client application reachability for subscription Request-Id: 5fe2a0a3"
    yield ask("microsoft-graph", "validationToken", answer(plain, TEXT), query="validationToken=" + token)
    yield ask("microsoft-graph", "notifications", "other", body={"value": [{"clientState": TOKEN}]})
    yield ask("sharepoint", "validationtoken", answer("c2a8-44f1", TEXT), query="validationtoken=c2a8-44f1")
    twitch = {"Twitch-Eventsub-Message-Type": "webhook_callback_verification"}
    challenge = {"challenge": "pogchamp-kappa-360noscope-vohiyo", "subscription": {"status": "x"}}
    yield ask("twitch", "webhook_callback_verification", answer(challenge["challenge"], TEXT), headers=twitch, body=challenge)
    twitch = {"Twitch-Eventsub-Message-Type": "notification"}
    yield ask("twitch", "a notification", "other", headers=twitch, body=challenge)
    front = {"X-Front-Challenge": "f7b3c1a9e2"}
    yield ask("front", "challenge", answer({"challenge": "f7b3c1a9e2"}, JSON), headers=front, body={"type": "sync"})
    yield ask("front", "an event", "other", body={"type": "inbound"})


def objects():
    zoom = {"event": "endpoint.url_validation", "event_ts": 1654503849680, "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    pair = {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": mac("qgg8vlvZRS6UYooatFL8Aw").hex()}
    yield ask("zoom", "endpoint.url_validation", answer(pair, JSON), body=zoom)
    yield ask("zoom", "no token", "refused", body={**zoom, "payload": {"plainToken": "{\"event\":\"forged\"}"}})
    yield ask("zoom", "an event", "other", body={"event": "meeting.started", "payload": {"plainToken": "x"}})
    token = "MzE3NDkyMDUtYWI0Mi00"
    signed = "sha256=" + base64.b64encode(mac(token)).decode()
    yield get("x", "crc", "crc_token=" + token, answer({"response_token": signed}, JSON))
    yield get("x", "crc with a nonce", "nonce=abc&crc_token=" + token, answer({"response_token": signed}, JSON))
    yield get("x", "a body to be signed", "crc_token=%7B%22a%22%3A1%7D", "refused")
    yield get("x", "no token", "", "other")
    okta = {"X-Okta-Verification-Challenge": "h3Jr-\"x\""}
    yield get("okta", "challenge", None, answer({"verification": "h3Jr-\"x\""}, JSON), headers=okta)
    yield get("okta", "none", None, "other")
    grid = [{"id": "2d17", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
             "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://rp/"}}]
    told = answer({"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}, JSON)
    yield ask("event-grid", "SubscriptionValidation", told, headers={"aeg-event-type": "SubscriptionValidation"}, body=grid)
    yield ask("event-grid", "a notification", "other", headers={"aeg-event-type": "Notification"}, body=[{"data": {}}])
    code = "890e4567-e89b-12d3-a456-426655440000"
    pair = {"challengeCode": code, "challengeResponse": mac(code).hex()}
    yield get("linkedin", "challengeCode", "challengeCode=" + code, answer(pair, JSON))
    yield get("linkedin", "a body to be signed", "challengeCode=hmacsha256%3D%7B%7D", "refused")
    digest = hashlib.sha256(("71745723-d031" + TOKEN + URL).encode()).hexdigest()
    yield get("ebay", "challenge_code", "challenge_code=71745723-d031", answer({"challengeResponse": digest}, JSON))
    monday = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    yield ask("monday", "challenge", answer({"challenge": monday}, JSON), body={"challenge": monday})
    yield ask("monday", "an event", "other", body={"event": {"type": "create_pulse"}})
    smartcar = "6ae5d2d7-5ed0-4b5e-8c54-3d3c4e0d5a2b"
    yield ask("smartcar", "a body to be signed", "refused", body={"eventType": "VERIFY", "data": {"challenge": "{}"}})
    yield ask("smartcar", "VERIFY", answer({"challenge": mac(smartcar).hex()}, JSON),
              body={"eventType": "VERIFY", "data": {"challenge": smartcar}})


def others():
    for provider in ("cloudevents", "event-grid"):
        origin = {"WebHook-Request-Origin": "eventemitter.example.com"}
        allowed = {"webhook-allowed-origin": "eventemitter.example.com", "webhook-allowed-rate": "*"}
        yield ask(provider, "abuse protection", answer(headers=allowed), method="OPTIONS", headers=origin)
        yield ask(provider, "no origin", "other", method="OPTIONS")
        header = {"WebHook-Request-Origin": "a b"}
        yield ask(provider, "two words", "refused", method="OPTIONS", headers=header)
    yield ask("discord", "ping of an interaction", answer({"type": 1}, JSON), body={"type": 1, "id": "1", "application_id": "2"})
    yield ask("discord", "an interaction", "other", body={"type": 2, "id": "1"})
    intent = {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S0m3r4Nd0mt3xt"}
    yield ask("xero", "intent to receive", answer(), body=intent)
    yield ask("xero", "an event", "other", body={**intent, "events": [{"eventType": "UPDATE"}]})
    for provider in ("trello", "intercom"):
        yield ask(provider, "is there anybody", answer(), method="HEAD")


def main():
    settings = {"secret": SECRET, "handshake_token": TOKEN, "public_url": URL}
    cases = [*texts(), *objects(), *others()]
    print(json.dumps({"settings": settings, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
