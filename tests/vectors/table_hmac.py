"""The presets whose signature is an HMAC in a header: what each vendor signs, how it is written, where things stand.

Takes nothing, gives `SCHEMES`. The facts are from the vendors' documentation; where it is silent, see the README.
"""

import hashlib
from dataclasses import replace

from common import MISMATCH, MISSING, NOW, REFUSED, b64, compact, derived
from scheme import Scheme as S
from scheme import (
    base64_key, base64_of_hex, base64url_bare, iso_without_zone, mac, milliseconds, rfc3339, rfc3339_nanoseconds, rfc3339_offset,
    seconds, stored_gzip, text, upper_hex, whsec,
)


def body(r):
    return r.body


def ts_dot_body(r):
    return r.ts + b"." + r.body


def ts_colon_body(r):
    return r.ts + b":" + r.body


def ts_body(r):
    return r.ts + r.body


def v0_ts_body(r):
    return b"v0:" + r.ts + b":" + r.body


def uuid(label):
    h = derived(label, 16).hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:]}"


# --------------------------------------------------------------------------- the Standard Webhooks family

def family(name, event, prefix="webhook", secret=whsec, **more):
    """`v1,`base64 of `id.ts.body` under `webhook-*` or `svix-*`."""
    fixed = {"message_id": f"h:{prefix}-id", "event_type": "j:type", "tolerance": 300, "ts": seconds}
    return S(
        name, f"{prefix}-signature", lambda r: r.id + b"." + r.ts + b"." + r.body, event, written=b64, each="v1,{}", join=" ", secret=secret,
        ts_at=f"{prefix}-timestamp", id="msg_" + derived(f"{name} id", 12).hex(), id_at=f"{prefix}-id", **(fixed | more),
    )


FAMILY = [
    family("clerk", {"type": "user.created", "object": "event", "data": {"id": "user_29w83sxmDNGwOuEthce5gg56FcC"}}, "svix"),
    family("resend", {"type": "email.delivered", "created_at": "2025-12-31T23:59:58.126Z", "data": {"email_id": uuid("resend"), "subject": "Hi"}}, "svix"),
    family("replicate", {"id": "ufawqhfynnddngldkgtslldrkq", "status": "succeeded", "output": None}, event_type=None),
    family("lithic", {"event_type": "card.created", "card_token": uuid("lithic")}, event_type=None),
    family("incident-io", {"event_type": "public_incident.incident_created_v2", "public_incident.incident_created_v2": {"id": "01J0"}}, event_type=None),
    family("brex", {"event_type": "TRANSFER_PROCESSED", "transfer_id": "dptx_1", "company_id": "cuacc_1"}, event_type=None),
    family("360learning", {"type": "course.created", "data": {"id": "5f3c"}}, event_type=None),
    family("signatureapi", {"id": "evt_4tWPhUTJqN4OXs3brKYWJx", "type": "envelope.completed", "data": {"object_type": "envelope"}}),
    family("openai", {"id": "evt_685343a1381c", "type": "response.completed", "created_at": NOW - 2, "data": {"id": "resp_abc"}, "object": "event"}),
    family("polar", {"type": "order.created", "timestamp": "2025-12-31T23:59:58Z", "data": {"id": uuid("polar")}}, secret=text("polar_whs_")),
    family("bigcommerce", {"scope": "store/order/created", "store_id": "1025646", "hash": "e8a5", "data": {"type": "order", "id": 250}}, secret=text(), event_type="j:scope"),
    family("shipbob", {"id": 1234, "reference_id": "ref-1", "status": "Processing"}, extra=[("x-webhook-topic", "order.shipped")], event_type="h:x-webhook-topic"),
    family("gitlab-signing", {"object_kind": "push", "ref": "refs/heads/main"}, extra=[("X-Gitlab-Event", "Push Hook")], event_type=None),
    family("beam", {"type": "deposit.created", "data": {"id": "dep_1"}}, secret=text("whsec_"), event_type=None),
    family("gemini", {"type": "batch.succeeded", "version": "v1", "timestamp": "2025-12-31T23:59:58Z", "data": {"id": "batches/1"}}),
    # Two that look alike and are not of the family.
    S("iron", "webhook-signature", ts_body, {"id": uuid("iron"), "type": "transaction.completed"}, each="v1={}", ts=seconds, ts_at="webhook-timestamp",
      extra=[("webhook-id", uuid("iron delivery"))]),
    S("emailit", "X-Emailit-Signature", ts_dot_body, [{"event_id": "evt_1", "type": "email.delivered", "object": {"id": "em_1"}}], secret=text("whsec_"),
      ts=seconds, ts_at="X-Emailit-Timestamp", tolerance=300),
    S("elevenlabs", "ElevenLabs-Signature", ts_dot_body, {"type": "post_call_transcription", "event_timestamp": NOW - 2, "data": {"agent_id": "agent_1"}},
      start="t={ts},", each="v0={}", secret=text("wsec_"), ts=seconds, ts_at="entry", event_type="j:type", tolerance=1800),
]


# --------------------------------------------------------------------------- further cases of single presets

def nylas_more(m):
    packed = replace(m.plain, body=stored_gzip(m.plain.body))
    m.put("body-gzip-signed-as-sent", "accept", m.headers(m.entry(packed), packed) + [("content-encoding", "gzip")], packed)
    unpacked = m.entry(m.plain)
    m.put("body-gzip-signed-before-packing", MISMATCH, m.headers(unpacked, packed) + [("content-encoding", "gzip")], packed)


def together_more(first, second):
    """Two headers that count together: any of them may match."""
    def more(m):
        good, wrong, plain = m.entry(m.plain), m.entry(m.plain, m.other), m.plain
        rest = [h for h in m.headers(good, plain) if h[0] != first]
        m.put("second-header-matches", "accept", rest + [(first, wrong), (second, good)], plain)
        m.put("only-second-header", "accept", rest + [(second, good)], plain)
        m.put("both-headers-match", "accept", rest + [(first, good), (second, m.entry(plain, m.old))], plain)
        m.put("second-header-by-old-secret", "accept", rest + [(first, wrong), (second, m.entry(plain, m.old))], plain, secrets=[m.key, m.old], key_index=1)
        m.put("neither-header-matches", MISMATCH, rest + [(first, wrong), (second, wrong)], plain)
        m.put("neither-header", MISSING, rest, plain)
    return more


def tebex_more(m):
    whole = m.s.sign(m.key[1], m.plain.body)
    m.refuse("signed-body-instead-of-its-hash", MISMATCH, m.plain, entries=[whole.hex()])
    raw = m.s.sign(m.key[1], hashlib.sha256(m.plain.body).digest())
    m.refuse("signed-octets-of-the-hash-instead-of-hex", MISMATCH, m.plain, entries=[raw.hex()])


def worldpay_more(m):
    good = m.entry(m.plain).rsplit("/", 1)[1]
    m.accept("another-key-id", m.plain, entries=["12/SHA256/" + good])
    m.refuse("another-hash-function", REFUSED, m.plain, entries=["5/SHA512/" + good])


def dated_more(m):
    """The scheme's signed content without its separator or in another order."""
    r = m.plain
    m.refuse("signed-body-only", MISMATCH, r, entries=[m.s.each.format(m.s.written(m.s.sign(m.key[1], r.body)))])
    m.refuse("signed-body-before-time", MISMATCH, r, entries=[m.s.each.format(m.s.written(m.s.sign(m.key[1], r.body + b"." + r.ts)))])


def solidgate_more(m):
    r = m.plain
    m.refuse("signed-body-only", MISMATCH, r, entries=[base64_of_hex(m.s.sign(m.key[1], r.body))])
    m.refuse("signature-base64-of-octets", REFUSED, r, entries=[b64(m.octets_for(r))])


def hubspot_content(r):
    """HubSpot decodes these characters of the URI, and no others, before it signs."""
    url = r.url.decode()
    for coded, plain in [("%3A", ":"), ("%2F", "/"), ("%3F", "?"), ("%40", "@"), ("%21", "!"), ("%24", "$"), ("%27", "'"), ("%28", "("), ("%29", ")"), ("%2A", "*"), ("%2C", ","), ("%3B", ";")]:
        url = url.replace(coded, plain)
    return r.method + url.encode() + r.body + r.ts


def hubspot_more(m):
    m.accept("url-with-encoded-query", replace(m.plain, query="to=https%3A%2F%2Fexample.com%2Fa%3Fb&name=a%20b"))
    bare = replace(m.plain, query="to=a%3Ab")
    undecoded = bare.method + bare.url + bare.body + bare.ts
    m.refuse("url-signed-without-decoding", MISMATCH, bare, entries=[b64(m.s.sign(m.key[1], undecoded))])
    got = replace(m.plain, method=b"GET")
    m.refuse("method-altered", MISMATCH, got, m.plain)


SOLIDGATE = "wh_pk_hookbridge_test"
GH = {"each": "sha256={}"}
SHA1 = mac("sha1")

PLAIN = [
    S("github", "X-Hub-Signature-256", body, {"ref": "refs/heads/main", "repository": {"id": 186853002, "full_name": "octo/hello"}}, **GH,
      extra=[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", uuid("github"))], message_id="h:X-GitHub-Delivery", event_type="h:X-GitHub-Event"),
    S("gitea", "X-Gitea-Signature", body, {"ref": "refs/heads/main", "repository": {"id": 1}},
      extra=[("X-Gitea-Event", "push"), ("X-Gitea-Delivery", uuid("gitea"))], message_id="h:X-Gitea-Delivery", event_type="h:X-Gitea-Event"),
    S("forgejo", "X-Forgejo-Signature", body, {"ref": "refs/heads/main", "repository": {"id": 1}},
      extra=[("X-Forgejo-Event", "push"), ("X-Forgejo-Delivery", uuid("forgejo"))], message_id="h:X-Forgejo-Delivery"),
    S("bitbucket", "X-Hub-Signature", body, {"push": {"changes": []}, "repository": {"full_name": "team/repo"}}, **GH,
      extra=[("X-Event-Key", "repo:push"), ("X-Request-UUID", uuid("bitbucket"))], message_id="h:X-Request-UUID", event_type="h:X-Event-Key"),
    S("jira", "X-Hub-Signature", body, {"timestamp": 1767225598000, "webhookEvent": "jira:issue_updated", "issue": {"key": "HB-1"}}, **GH,
      extra=[("X-Atlassian-Webhook-Identifier", uuid("jira"))], message_id="h:X-Atlassian-Webhook-Identifier", event_type="j:webhookEvent"),
    S("shopify", "X-Shopify-Hmac-Sha256", body, {"id": 820982911946154508, "email": "jon@example.com"}, written=b64,
      extra=[("X-Shopify-Topic", "orders/create"), ("X-Shopify-Webhook-Id", uuid("shopify w")), ("X-Shopify-Event-Id", uuid("shopify e"))], event_type="h:X-Shopify-Topic"),
    S("linear", "Linear-Signature", body, {"action": "update", "type": "Issue", "createdAt": "2025-12-31T23:59:58.000Z", "data": {"id": uuid("linear")}},
      ts=lambda t: str(t * 1000), ts_at="body:/webhookTimestamp", tolerance=60,
      extra=[("Linear-Event", "Issue"), ("Linear-Delivery", uuid("linear delivery"))], message_id="h:Linear-Delivery", event_type="j:type"),
    S("intercom", "X-Hub-Signature", body, {"type": "notification_event", "topic": "user.created", "id": "notif_123", "app_id": "a86dr8yl"}, sign=SHA1, each="sha1={}",
      message_id="j:id", event_type="j:topic"),
    S("typeform", "Typeform-Signature", body, {"event_id": "01HK", "event_type": "form_response", "form_response": {"token": "t1"}}, written=b64, each="sha256={}",
      message_id="j:event_id", event_type="j:event_type"),
    S("square", "x-square-hmacsha256-signature", lambda r: r.url + r.body, {"merchant_id": "M1", "type": "payment.updated", "event_id": uuid("square"), "data": {"id": "p1"}},
      written=b64, public_url=True, message_id="j:event_id", event_type="j:type"),
    S("xero", "x-xero-signature", body, {"events": [{"resourceId": uuid("xero"), "eventCategory": "INVOICE", "eventType": "UPDATE"}], "firstEventSequence": 1, "lastEventSequence": 1}, written=b64),
    S("docusign", "X-DocuSign-Signature-1", body, {"event": "envelope-completed", "apiVersion": "v2.1", "data": {"envelopeId": uuid("docusign")}}, written=b64,
      secret=lambda label: (b64(derived(label, 32)), b64(derived(label, 32)).encode()), event_type="j:event", more=together_more("X-DocuSign-Signature-1", "X-DocuSign-Signature-2")),
    S("asana", "X-Hook-Signature", body, {"events": [{"action": "changed", "resource": {"gid": "1337", "resource_type": "task"}}]}),
    S("dropbox", "X-Dropbox-Signature", body, {"list_folder": {"accounts": ["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]}, "delta": {"users": [12345678]}}),
    S("meta", "X-Hub-Signature-256", body, {"object": "page", "entry": [{"id": "1", "time": 1767225598, "changes": [{"field": "feed", "value": {}}]}]}, **GH),
    S("whatsapp", "X-Hub-Signature-256", body, {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {}}]}]}, **GH),
    S("x", "x-twitter-webhooks-signature", body, {"for_user_id": "2244994945", "tweet_create_events": [{"id_str": "1"}]}, written=b64, each="sha256={}"),
    S("line", "x-line-signature", body, {"destination": "U1", "events": [{"type": "message", "webhookEventId": "01H810YECXQQZ37VAXPF6H9E6T", "deliveryContext": {"isRedelivery": False}}]}, written=b64),
    S("sentry", "Sentry-Hook-Signature", body, {"action": "created", "installation": {"uuid": uuid("sentry i")}, "data": {"issue": {"id": "1"}}},
      extra=[("Sentry-Hook-Resource", "issue"), ("Sentry-Hook-Timestamp", str(NOW)), ("Request-ID", uuid("sentry").replace("-", ""))]),
    S("pagerduty", "X-PagerDuty-Signature", body, {"event": {"id": "01BN", "event_type": "incident.triggered", "resource_type": "incident", "data": {"id": "PGR0VU2"}}},
      each="v1={}", join=",", message_id="j:event.id", event_type="j:event.event_type"),
    S("coinbase-commerce", "X-CC-Webhook-Signature", body, {"id": "delivery-1", "event": {"id": uuid("coinbase"), "type": "charge:confirmed", "data": {"code": "66BEOV2A"}}},
      message_id="j:event.id", event_type="j:event.type"),
    S("notion", "X-Notion-Signature", body, {"id": uuid("notion"), "timestamp": "2025-12-31T23:59:58.000Z", "type": "page.created", "entity": {"id": "1", "type": "page"}}, **GH,
      message_id="j:id", event_type="j:type"),
    S("vercel", "x-vercel-signature", body, {"id": "evt_1", "type": "deployment.succeeded", "createdAt": 1767225598000, "payload": {}}, sign=SHA1, message_id="j:id", event_type="j:type"),
    S("circleci", "circleci-signature", body, {"id": uuid("circleci"), "type": "workflow-completed", "happened_at": "2025-12-31T23:59:58Z"}, each="v1={}", join=",",
      extra=[("Circleci-Event-Type", "workflow-completed")], message_id="j:id", event_type="h:Circleci-Event-Type"),
    S("segment", "X-Signature", body, {"type": "track", "event": "Signed Up", "messageId": "segment-test-message-1", "userId": "u1"}, sign=SHA1, message_id="j:messageId", event_type="j:type"),
    S("woocommerce", "X-WC-Webhook-Signature", body, {"id": 727, "status": "processing"}, written=b64,
      extra=[("X-WC-Webhook-Topic", "order.created"), ("X-WC-Webhook-Delivery-ID", uuid("woo").replace("-", ""))], event_type="h:X-WC-Webhook-Topic"),
    S("airtable", "X-Airtable-Content-MAC", body, {"base": {"id": "app1"}, "webhook": {"id": "ach1"}, "timestamp": "2025-12-31T23:59:58.125Z"}, each="hmac-sha256={}", secret=base64_key),
    S("trello", "X-Trello-Webhook", lambda r: r.body + r.url, {"action": {"id": "51f9424bcd6e040f3c002412", "type": "updateCard"}, "model": {"id": "4d5e"}}, sign=SHA1, written=b64,
      public_url=True, message_id="j:action.id", event_type="j:action.type"),
    S("linkedin", "X-LI-Signature", lambda r: b"hmacsha256=" + r.body, {"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": [{"notificationId": 1}]}),
    S("nylas", "x-nylas-signature", body, {"specversion": "1.0", "type": "message.created", "id": "5mC5LMKZ7Av0y", "data": {"object": {}}}, message_id="j:id", event_type="j:type", more=nylas_more),
    S("razorpay", "X-Razorpay-Signature", body, {"entity": "event", "event": "payment.captured", "contains": ["payment"], "payload": {}}, event_type="j:event"),
    S("paystack", "x-paystack-signature", body, {"event": "charge.success", "data": {"id": 302961, "reference": "qTPrJoy9Bx"}}, sign=mac("sha512"), event_type="j:event"),
    S("gocardless", "Webhook-Signature", body, {"events": [{"id": "EV123", "resource_type": "payments", "action": "confirmed"}]}),
    S("alchemy", "X-Alchemy-Signature", body, {"webhookId": "wh_1", "id": "whevt_1", "createdAt": "2025-12-31T23:59:58Z", "type": "ADDRESS_ACTIVITY", "event": {}}, message_id="j:id", event_type="j:type"),
    S("uber", "X-Uber-Signature", body, {"event_id": uuid("uber"), "event_type": "orders.notification", "event_time": NOW - 2, "meta": {}}, message_id="j:event_id", event_type="j:event_type"),
    S("tally", "Tally-Signature", body, {"eventId": uuid("tally"), "eventType": "FORM_RESPONSE", "createdAt": "2025-12-31T23:59:58.000Z", "data": {}}, written=b64, message_id="j:eventId", event_type="j:eventType"),
    S("clickup", "X-Signature", body, {"event": "taskCreated", "task_id": "c0j", "webhook_id": uuid("clickup")}, event_type="j:event"),
    S("grafana", "X-Grafana-Alerting-Signature", body, {"receiver": "hookbridge", "status": "firing", "groupKey": "{}:{alertname=\"A\"}", "alerts": []}, event_type="j:status"),
    S("worldpay", "Event-Signature", body, {"eventId": uuid("worldpay"), "eventTimestamp": "2025-12-31T23:59:58Z", "eventDetails": {"type": "authorized"}}, each="5/SHA256/{}", join=",", more=worldpay_more),
    S("solidgate", "signature", lambda r: SOLIDGATE.encode() + r.body + SOLIDGATE.encode(), {"order": {"order_id": "o1", "status": "approved"}}, sign=mac("sha512"), written=base64_of_hex,
      secret=text("wh_sk_"), extra=[("merchant", SOLIDGATE)], parameters={"merchant": SOLIDGATE}, more=solidgate_more),
    S("smartcar", "SC-Signature", body, {"version": "2.0", "webhookId": uuid("smartcar"), "eventName": "schedule", "payload": {}}),
    S("tebex", "X-Signature", lambda r: hashlib.sha256(r.body).hexdigest().encode(), {"id": "validation-1", "type": "payment.completed", "date": "2025-12-31T23:59:58+00:00", "subject": {}},
      message_id="j:id", event_type="j:type", more=tebex_more),
    S("websub", "X-Hub-Signature", body, b"<?xml version=\"1.0\"?><feed><entry><id>tag:example.com,2026:1</id></entry></feed>", **GH, content_type="application/atom+xml"),
]

TIMED = [
    S("stripe", "Stripe-Signature", ts_dot_body, {"id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "type": "invoice.paid", "created": NOW - 2, "data": {"object": {}}},
      start="t={ts},", each="v1={}", join=",", secret=text("whsec_"), ts=seconds, ts_at="entry", tolerance=300, message_id="j:id", event_type="j:type", more=dated_more),
    S("slack", "X-Slack-Signature", v0_ts_body, {"type": "event_callback", "team_id": "T1", "event_id": "Ev0PV52K21", "event_time": NOW - 2, "event": {"type": "reaction_added", "user": "U1"}},
      each="v0={}", ts=seconds, ts_at="X-Slack-Request-Timestamp", tolerance=300, message_id="j:event_id", event_type="j:event.type", more=dated_more),
    S("paddle", "Paddle-Signature", ts_colon_body, {"event_id": "evt_01h", "notification_id": "ntf_01h", "event_type": "transaction.completed", "data": {"id": "txn_01h"}},
      start="ts={ts};", each="h1={}", join=";", secret=text("pdl_ntfset_"), ts=seconds, ts_at="entry", message_id="j:event_id", event_type="j:event_type"),
    S("zoom", "x-zm-signature", v0_ts_body, {"event": "meeting.started", "event_ts": NOW * 1000, "payload": {"account_id": "a1", "object": {"id": "1"}}},
      each="v0={}", ts=seconds, ts_at="x-zm-request-timestamp", event_type="j:event"),
    S("hubspot", "X-HubSpot-Signature-v3", hubspot_content, [{"eventId": 3816279340, "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": 1246965}],
      written=b64, ts=milliseconds, ts_at="X-HubSpot-Request-Timestamp", tolerance=300, public_url=True, more=hubspot_more),
    S("calendly", "Calendly-Webhook-Signature", ts_dot_body, {"event": "invitee.created", "created_at": "2025-12-31T23:59:58.000000Z", "payload": {"email": "a@example.com"}},
      start="t={ts},", each="v1={}", ts=seconds, ts_at="entry", tolerance=180, event_type="j:event"),
    S("zendesk", "X-Zendesk-Webhook-Signature", ts_body, {"id": "01J3", "type": "zen:event-type:user.created", "time": "2025-12-31T23:59:58Z", "event": {}},
      written=b64, ts=rfc3339, ts_at="X-Zendesk-Webhook-Signature-Timestamp", event_type="j:type"),
    S("box", "BOX-SIGNATURE-PRIMARY", lambda r: r.body + r.ts, {"type": "webhook_event", "id": uuid("box"), "trigger": "FILE.UPLOADED", "source": {"id": "1"}},
      written=b64, ts=rfc3339_offset, ts_at="BOX-DELIVERY-TIMESTAMP", tolerance=600,
      extra=[("BOX-DELIVERY-ID", uuid("box delivery")), ("BOX-SIGNATURE-VERSION", "1"), ("BOX-SIGNATURE-ALGORITHM", "HmacSHA256")],
      message_id="j:id", event_type="j:trigger", more=together_more("BOX-SIGNATURE-PRIMARY", "BOX-SIGNATURE-SECONDARY")),
    S("workos", "WorkOS-Signature", ts_dot_body, {"id": "event_01HBEQKA6K4QJAS93VPE39W1JT", "event": "dsync.user.created", "data": {}},
      start="t={ts}, ", each="v1={}", ts=milliseconds, ts_at="entry", tolerance=180, message_id="j:id", event_type="j:event"),
    S("twitch", "Twitch-Eventsub-Message-Signature", lambda r: r.id + r.ts + r.body, {"subscription": {"id": "s1", "type": "channel.follow"}, "event": {"user_id": "1234"}}, **GH,
      ts=rfc3339_nanoseconds, ts_at="Twitch-Eventsub-Message-Timestamp", tolerance=600, id=uuid("twitch"), id_at="Twitch-Eventsub-Message-Id",
      extra=[("Twitch-Eventsub-Message-Type", "notification"), ("Twitch-Eventsub-Subscription-Type", "channel.follow")],
      message_id="h:Twitch-Eventsub-Message-Id", event_type="h:Twitch-Eventsub-Subscription-Type"),
    S("webflow", "x-webflow-signature", ts_colon_body, {"triggerType": "form_submission", "payload": {"name": "Contact"}}, ts=milliseconds, ts_at="x-webflow-timestamp", event_type="j:triggerType"),
    S("front", "X-Front-Signature", ts_colon_body, {"type": "inbound", "authorization": {"id": "cmp_1"}, "payload": {"id": "evt_1"}}, written=b64, ts=milliseconds,
      ts_at="X-Front-Request-Timestamp", tolerance=300, event_type="j:type"),
    S("customer-io", "X-CIO-Signature", v0_ts_body, {"event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQJ", "object_type": "email", "metric": "delivered", "timestamp": NOW - 2, "data": {}},
      ts=seconds, ts_at="X-CIO-Timestamp", message_id="j:event_id", event_type="j:metric"),
    S("persona", "Persona-Signature", ts_dot_body, {"data": {"type": "event", "id": "evt_XGuXsHhSxXcTh7GvW3iAQG", "attributes": {"name": "inquiry.approved"}}},
      start="t={ts},", each="v1={}", join=f" t={NOW},", secret=text("wbhsec_"), ts=seconds, ts_at="entry", message_id="j:data.id"),
    S("revolut", "Revolut-Signature", lambda r: b"v1." + r.ts + b"." + r.body, {"event": "TransactionCreated", "timestamp": "2025-12-31T23:59:58Z", "data": {"id": "t1"}},
      each="v1={}", join=",", secret=text("wsk_"), ts=milliseconds, ts_at="Revolut-Request-Timestamp", event_type="j:event"),
    S("airwallex", "x-signature", ts_body, {"id": "evt_1", "name": "payment_intent.succeeded", "account_id": "acct_1", "data": {}}, ts=milliseconds, ts_at="x-timestamp",
      message_id="j:id", event_type="j:name"),
    S("knock", "x-knock-signature", ts_dot_body, {"__typename": "WebhookEvent", "type": "message.sent", "data": {"id": "1"}}, start="t={ts},", each="s={}", written=b64,
      ts=milliseconds, ts_at="entry", tolerance=300, event_type="j:type"),
    S("sanity", "sanity-webhook-signature", ts_dot_body, {"_id": "doc1", "_type": "post", "title": "Hello"}, start="t={ts},", each="v1={}", written=base64url_bare,
      ts=milliseconds, ts_at="entry", extra=[("idempotency-key", "sanity-idempotency-1")], message_id="h:idempotency-key"),
    S("orb", "X-Orb-Signature", lambda r: b"v1:" + r.ts + b":" + r.body, {"id": "o4mmewpfNNTnjfZc", "created_at": "2025-12-31T23:59:58+00:00", "type": "resource_event.test", "properties": {}},
      each="v1={}", ts=iso_without_zone, ts_at="X-Orb-Timestamp", tolerance=300, message_id="j:id", event_type="j:type"),
    S("statsig", "X-Statsig-Signature", v0_ts_body, {"data": [{"user": {"userID": "a"}, "eventName": "page_view", "timestamp": "1767225598000"}]}, each="v0={}", ts=milliseconds,
      ts_at="X-Statsig-Request-Timestamp"),
    S("tiktok", "TikTok-Signature", ts_dot_body, {"client_key": "k1", "event": "video.publish.completed", "create_time": NOW - 2, "user_openid": "act.1", "content": "{}"},
      start="t={ts},", each="s={}", ts=seconds, ts_at="entry", event_type="j:event"),
    S("buildkite", "X-Buildkite-Signature", ts_dot_body, {"event": "build.finished", "build": {"id": uuid("buildkite"), "state": "passed"}}, start="timestamp={ts},", each="signature={}",
      ts=seconds, ts_at="entry", extra=[("X-Buildkite-Event", "build.finished")], event_type="h:X-Buildkite-Event"),
    S("oura", "x-oura-signature", ts_body, {"event_type": "update", "data_type": "daily_sleep", "object_id": uuid("oura"), "user_id": "u1"}, written=upper_hex, ts=seconds, ts_at="x-oura-timestamp"),
]

SCHEMES = [*FAMILY, *PLAIN, *TIMED]
