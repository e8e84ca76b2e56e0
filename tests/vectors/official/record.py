#!/usr/bin/env python3
"""Writes the published examples: requests whose signatures vendors print in their documentation or test suites.

    python3 record.py      standard library only; the same octets on every run; generate.py --check judges them

The values are the vendors', copied; nothing is signed here. Each request has two altered copies: of the body and of
the signature. `standard-webhooks*.json` and `svix*.json` are of an earlier recording.
"""

import base64
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
SLACK = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
    "&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    "%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SENDGRID = (
    '[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    '"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    '"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
ORB = (
    '{"id": "o4mmewpfNNTnjfZc", "created_at": "2024-03-27T15:42:29+00:00", "type": "resource_event.test", '
    '"properties": {"message": "A test webhook from Orb. Happy testing!"}}'
)
SQUARE = (
    '{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f",'
    '"created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
)
EBAY_KID = "9936261a-7d7b-4621-a0f1-96ccb428af49"
EBAY_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZhhxXKtR+TOvtDbgTPCkSof02qgB\nB7IsYOyf76ilExJ/upAa/vKIKheOoCyOpcLmi4t0b4uepb7LLjmMr90FUg==\n-----END PUBLIC KEY-----\n"
EBAY = (
    '{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION","schemaVersion":"1.0","deprecated":false},"notification":{"notificationId":'
    '"49feeaeb-4982-42d9-a377-9645b8479411_33f7e043-fed8-442b-9d44-791923bd9a6d","eventDate":"2021-03-19T20:43:59.462Z","publishDate":"2021-03-19T20:43:59.679Z",'
    '"publishAttemptCount":1,"data":{"username":"test_user","userId":"ma8vp1jySJC","eiasToken":"nY+sHZ2PrBmdj6wVnY+sEZ2PrA2dj6wJnY+gAZGEpwmdj6x9nY+seQ=="}}}'
)


def ebay(signature):
    envelope = {"alg": "ecdsa", "kid": EBAY_KID, "signature": signature, "digest": "SHA1"}
    return base64.b64encode(json.dumps(envelope, separators=(",", ":")).encode()).decode()


# preset: where it is published, the clock, the secret, the headers, the signature's header, the body, what it names, and what the file has beside.
EXAMPLES = {
    "github": (
        "GitHub's documentation, \"Validating webhook deliveries\"", 1767225600, "It's a Secret to Everybody", [], "X-Hub-Signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "Hello, World!", {}, {}),
    "slack": (
        "Slack's documentation, \"Verifying requests from Slack\"", 1531420618, "8f742231b10e8888abcd99yyyzzz85a5", [("X-Slack-Request-Timestamp", "1531420618")], "X-Slack-Signature",
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", SLACK, {}, {}),
    "sendgrid": (
        "the test suites of SendGrid's libraries", 1600112502, "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        [("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502")], "X-Twilio-Email-Event-Webhook-Signature",
        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=", SENDGRID, {}, {}),
    "orb": (
        "the test suites of Orb's libraries", 1711554149, "c-UGKYdnhHh436B_sMouYAPUvXyWpzOdunZBV5dFSD8", [("X-Orb-Timestamp", "2024-03-27T15:42:29.551")], "X-Orb-Signature",
        "v1=9d25de966891ab0bc18754faf8d83d0980b44ae330fcc130b41a6cf3daf1f391", ORB, {"message_id": "o4mmewpfNNTnjfZc", "event_type": "resource_event.test"}, {}),
    "square": (
        "the test suite of Square's JavaScript library", 1767225600, "Ibxx_5AKakO-3qeNVR61Dw", [], "x-square-hmacsha256-signature", "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=", SQUARE,
        {"message_id": "ac3ac95b-f97d-458c-a6e6-18981597e05f", "event_type": "webhooks.test_notification"},
        {"source": {"public_url": "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"}}),
    "ebay": (
        "the test suite of eBay's event-notification-nodejs-sdk", 1767225600, None, [], "x-ebay-signature",
        "MEYCIQCfxfIWuxmWcIBQJ9c5/X7iGDJqs2RCGsBEaAjinyrrfAIhAIV6wGcTiBuV5KJUif2hokyrL+Q9ssHkad+mx2nEE25w", EBAY,
        {"message_id": "49feeaeb-4982-42d9-a377-9645b8479411_33f7e043-fed8-442b-9d44-791923bd9a6d", "event_type": "MARKETPLACE_ACCOUNT_DELETION"},
        {"fetched_keys": {EBAY_KID: EBAY_KEY}}),
}


def case(name, signed_by, secret, headers, body, verdict, names):
    out = {"name": name, "signed_by": signed_by, "secrets": [secret] if secret else [], "headers": [list(h) for h in headers], "body_base64": base64.b64encode(body.encode()).decode(), "verdict": verdict}
    return out | (names | ({"key_index": 0} if secret else {}) if verdict == "accept" else {})


def spoilt(signature):
    """The same signature with another digit or letter near its end."""
    place = len(signature) - 6
    return signature[:place] + ("0" if signature[place] != "0" else "1") + signature[place + 1:]


def main():
    for provider, (signed_by, now, secret, headers, header, signature, body, names, beside) in EXAMPLES.items():
        wrap = ebay if provider == "ebay" else str
        headers = [("content-type", "application/x-www-form-urlencoded" if provider == "slack" else "application/json"), *headers]
        good, bad = [*headers, (header, wrap(signature))], [*headers, (header, wrap(spoilt(signature)))]
        middle = next(i for i in range(len(body) // 2, len(body)) if body[i].isalpha())
        altered = body[:middle] + ("y" if body[middle] == "z" else "z") + body[middle + 1:]
        cases = [
            case("published", signed_by, secret, good, body, "accept", names),
            case("published-body-altered", signed_by, secret, good, altered, "signature_mismatch", {}),
            case("published-signature-altered", signed_by, secret, bad, body, "signature_mismatch", {}),
        ]
        document = {"provider": provider, "now": now, **beside, "cases": cases}
        (HERE / f"{provider}-published.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    key = "DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00"
    item = {
        "pspReference": "pspReference", "originalReference": "originalReference", "merchantAccountCode": "merchantAccount", "merchantReference": "reference",
        "amount": {"currency": "EUR", "value": 1000}, "eventCode": "EVENT", "paymentMethod": "VISA", "reason": "reason", "success": "true",
    }

    def body(change, signature="ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc="):
        whole = item | change | {"additionalData": {"hmacSignature": signature}}
        return json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": whole}]}, separators=(",", ":"))

    signed_by, json_header = "the test suites of Adyen's libraries", [("content-type", "application/json")]
    cases = [
        case("published", signed_by, key, json_header, body({}), "accept", {"event_type": "EVENT"}),
        case("published-body-altered", signed_by, key, json_header, body({"success": "false"}), "signature_mismatch", {}),
        case("published-signature-altered", signed_by, key, json_header, body({}, "ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TL0ntIc="), "signature_mismatch", {}),
    ]
    document = {"provider": "adyen", "now": 1767225600, "cases": cases}
    (HERE / "adyen-published.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
