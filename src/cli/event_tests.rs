//! Every preset, as `send` and `dev` post it: genuine, and with the ID and the type that were asked for.

use http::Uri;

use super::super::send::with_query;
use super::*;
use crate::config::catalogue::{self, Entry};
use crate::config::preset;
use crate::expression::Expression;
use crate::pipeline::extract::{self, Reader, Reason};
use crate::pipeline::places::Parts;
use crate::signature::Message;

/// Every preset that can be signed for, with a secret.
fn signable() -> Vec<(Entry, String)> {
    let with_secret = |name: &str| {
        let entry = catalogue::entry(name).unwrap();
        let secret = entry.secret_of(&format!("a secret of some length for {name}"))?;
        Some((entry, secret))
    };
    preset::names().filter_map(with_secret).collect()
}

/// What the service makes of a request, which must be genuine.
fn received(entry: &Entry, secret: &str, request: &SignedRequest, now: SystemTime) -> extract::Found {
    let scheme = entry.file.scheme.as_ref().unwrap();
    let key = scheme.key(secret).unwrap();
    let uri = with_query(&Uri::from_static("http://a/b"), &request.query).unwrap();
    let query = uri.query();
    let message = Message { headers: &request.headers, query, body: &request.body };
    let verdict = scheme.verify(std::iter::once(&key), &message, UnixSeconds::from_system_time(now));
    assert_eq!(verdict, Ok(0), "{}", entry.name);
    let parts = Parts { headers: &request.headers, query, body: &request.body, signed: &scheme.coverage };
    Reader::new(&entry.file.provider, &parts).whole()
}

fn sent(entry: &Entry, secret: &str, event: Event<'_>) -> Result<extract::Event, String> {
    let now = SystemTime::now();
    let request = sign(&entry.file, secret, event, now)?;
    Ok(received(entry, secret, &request, now).unwrap_or_else(|defect| panic!("{}: {defect:?}", entry.name)))
}

/// What `send` and `dev` post is genuine, and an event of the preset: all that they can sign, which is every preset
/// but those whose provider alone has the key.
#[test]
fn the_example_of_every_preset_is_accepted_and_read() {
    let mut unread = Vec::new();
    for (entry, secret) in signable() {
        let now = SystemTime::now();
        let request = sign(&entry.file, &secret, Event::default(), now).unwrap();
        if let Err(defect) = received(&entry, &secret, &request, now) {
            assert_eq!(defect.reason(), Reason::MissingEventType, "{}: {defect:?}", entry.name);
            unread.push(entry.name);
        }
    }
    assert!(unread.is_empty(), "{unread:?}");
    let signable: Vec<String> = signable().into_iter().map(|(entry, _)| entry.name).collect();
    let others: Vec<&str> = preset::names().filter(|name| !signable.iter().any(|s| s == name)).collect();
    assert_eq!(others, ["discord", "sendgrid", "telnyx", "wechat-pay", "paypal", "aws-sns", "plaid", "ebay"]);
}

/// A value for the first of `places`, as it would be written. The parts of a joined one have dots of their own.
fn value_for(places: &[Expression], parts: [&str; 3]) -> String {
    match places.first() {
        Some(Expression::Join { parts: places, with }) => parts[..places.len()].join(with),
        _ => parts[0].to_owned(),
    }
}

#[test]
fn a_type_and_an_id_that_are_given_are_what_is_read() {
    for (entry, secret) in signable() {
        let (name, provider) = (&entry.name, &entry.file.provider);
        let event_type = value_for(&provider.event_type, ["thing", "done.twice", "x"]);
        let event = Event { event_type: Some(&event_type), ..Event::default() };
        match (sent(&entry, &secret, event), provider.event_type.is_empty()) {
            (Ok(event), false) => assert_eq!(event.event_type().text(), event_type.as_str(), "{name}"),
            (Err(why), true) => assert_eq!(why, format!("a request of {name} has no place for a type")),
            other => panic!("{name}: {other:?}"),
        }
        let id = value_for(&provider.message_id, ["id-1", "second", "2026.1"]);
        let event = Event { id: Some(&id), ..Event::default() };
        match (sent(&entry, &secret, event), provider.message_id.is_empty()) {
            (Ok(event), false) => assert_eq!(event.message_id().text(), id.as_str(), "{name}"),
            (Err(why), true) => assert!(why.contains("has no place for an ID"), "{name}: {why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn two_examples_have_two_ids_wherever_there_is_a_place_for_one() {
    for (entry, secret) in signable() {
        let one = sent(&entry, &secret, Event::default()).unwrap();
        let two = sent(&entry, &secret, Event::default()).unwrap();
        let places = &entry.file.provider.message_id;
        assert!(places.is_empty() || one.message_id().text() != two.message_id().text(), "{}", entry.name);
        assert_eq!(one.event_type().text(), two.event_type().text(), "{}: the type stays", entry.name);
    }
}

fn of(preset: &str, event: Event<'_>) -> Result<(String, String), String> {
    let entry = catalogue::entry(preset).unwrap();
    let secret = entry.secret_of("a secret of some length").unwrap();
    let event = sent(&entry, &secret, event)?;
    Ok((event.message_id().text().to_string(), event.event_type().text().to_string()))
}

#[test]
fn joined_values_are_taken_apart() {
    let data = |text: &str| Some(text.as_bytes().to_vec());
    let typed =
        |event_type, body: Option<&str>| Event { event_type, data: body.and_then(data), ..Event::default() };
    for (preset, event, expected) in [
        ("github", typed(None, None), "issues.opened"),
        ("github", typed(Some("pull_request.closed"), None), "pull_request.closed"),
        ("github", typed(Some("check.run"), Some(r#"{"action":"run"}"#)), "check.run"),
        // Without an action the header alone is the type.
        ("github", typed(Some("push"), Some(r#"{"ref":"main"}"#)), "push"),
        ("github", typed(Some("issues.closed"), Some(r#"{"ref":"main"}"#)), "issues.closed"),
        ("sentry", typed(None, None), "issue.created"),
        ("sentry", typed(Some("issue.resolved"), None), "issue.resolved"),
        ("twilio", typed(Some("sent"), None), "sent"),
        ("twilio", typed(Some("sent"), Some("MessageSid=1&MessageStatus=sent")), "sent"),
        (
            "slack",
            typed(Some("app_rate_limited"), Some(r#"{"type":"app_rate_limited"}"#)),
            "app_rate_limited",
        ),
    ] {
        assert_eq!(of(preset, event).unwrap().1, expected, "{preset}");
    }
    let event = Event { id: Some("c.1.orders/paid"), ..Event::default() };
    let why = of("shopify", Event { event_type: Some("orders/create"), ..event }).unwrap_err();
    assert!(why.contains("says the type too"), "{why}");
    let event = Event { id: Some("c1.orders/paid"), event_type: Some("orders/paid"), ..Event::default() };
    assert_eq!(of("shopify", event).unwrap(), ("c1.orders/paid".to_owned(), "orders/paid".to_owned()));
}

#[test]
fn what_has_no_place_is_said() {
    let typed = |event_type, data: Option<&str>| Event {
        event_type: Some(event_type),
        data: data.map(|text| text.as_bytes().to_vec()),
        ..Event::default()
    };
    for (preset, event, said) in [
        (
            "github",
            typed("push", None),
            "the type of github is header x-github-event `.` body /action, else header x-github-event: write it as `issues.opened`",
        ),
        ("github", typed("issues.", None), "write it as `issues.opened`"),
        ("github", typed("issues.closed", Some(r#"{"action":"opened"}"#)), "\"opened\" at /action"),
        ("oura", typed("sleep", None), "body /data_type `.` body /event_type: write it as `sleep.update`"),
        ("stripe", typed("a", Some(r#"{"type":"b"}"#)), "leave out one of them"),
        ("stripe", typed("a", Some("text")), "--data is no JSON object"),
        ("twilio", typed("sent", Some("MessageStatus=failed")), "failed at MessageStatus"),
        ("twilio", typed("sent", Some("{}")), "--data is no form"),
        ("hubspot", typed("contact.creation", None), "hubspot has no place for a type"),
        (
            "adyen",
            Event { id: Some("a"), ..Event::default() },
            "write it as `AUTHORISATION.7914073381342284`",
        ),
    ] {
        let why = of(preset, event).unwrap_err();
        assert!(why.contains(said), "{preset}: {why}");
    }
}

#[test]
fn a_probe_says_that_it_is_one_wherever_it_can() {
    for (entry, secret) in signable() {
        let probe = Event { is_probe: true, ..Event::default() };
        let event = sent(&entry, &secret, probe).unwrap_or_else(|why| panic!("{}: {why}", entry.name));
        let asked = Event { event_type: Some(PROBE_TYPE), ..Event::default() };
        if sign(&entry.file, &secret, asked, SystemTime::now()).is_ok() {
            assert_eq!(event.event_type().text(), PROBE_TYPE, "{}", entry.name);
        }
    }
    for preset in ["svix", "stripe", "github"] {
        let (id, event_type) = of(preset, Event { is_probe: true, ..Event::default() }).unwrap();
        assert_eq!(event_type, PROBE_TYPE, "{preset}");
        assert!(id.starts_with("hookbridge-test-"), "{preset}: {id}");
    }
    // What the user's own body says stands.
    let data = Some(br#"{"id":"evt_1","type":"charge.paid"}"#.to_vec());
    let event = Event { is_probe: true, data, ..Event::default() };
    assert_eq!(of("stripe", event).unwrap(), ("evt_1".to_owned(), "charge.paid".to_owned()));
}
