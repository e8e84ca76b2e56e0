//! What comes from an unsigned field is warned of, and refused where the source is strict.

use crate::config::Config;
use crate::config::validate::parse;

/// Signs the body alone.
const BODY: &str = "header: X-S, algorithm: hmac-sha256, encoding: hex, content: '{body}'";
/// Signs ID and body.
const ID: &str = "header: X-S, algorithm: hmac-sha256, encoding: hex, content: '{id}.{body}'";

fn read(provider: &str, rest: &str) -> Result<Config, String> {
    let text = format!(
        "kafka: {{ bootstrap.servers: kafka:9092 }}\nsources: {{ s: {{ provider: {provider}, secrets: [{{ env: A }}]{rest} }} }}"
    );
    parse("hookbridge.yaml", &text, &|_| Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()))
        .map_err(|invalid| invalid.to_string())
}

fn custom(signature: &str, places: &str) -> String {
    format!("{{ signature: {{ {signature} }}{places} }}")
}

/// Each is warned of in these words, and an error with `strict_fields: true`.
#[track_caller]
fn assert_reported(provider: &str, rest: &str, expected: &[&str]) {
    let config = read(provider, rest).unwrap_or_else(|shown| panic!("{shown}"));
    assert_eq!(config.warnings.len(), expected.len(), "{:?}", config.warnings);
    for (warning, expected) in config.warnings.iter().zip(expected) {
        assert!(warning.message.contains(expected), "{expected}\nis not in\n{}", warning.message);
    }
    match (read(provider, &format!("{rest}, strict_fields: true")), expected) {
        (Ok(_), []) => {}
        (Ok(_), _) => panic!("{provider}{rest} passes"),
        (Err(shown), []) => panic!("{shown}"),
        (Err(shown), expected) => {
            for expected in expected {
                assert!(shown.contains(expected), "{expected}\nis not in\n{shown}");
            }
            assert!(shown.contains("strict_fields: true"), "{shown}");
        }
    }
}

const TWO_TOPICS: &str = ", topics: { a: x, '*': y }";

#[test]
fn an_unsigned_key_is_named_and_the_bodys_hash_advised() {
    let provider = custom(BODY, ", message_id: { header: X-Id }, event_type: { json: /type }");
    let expected = "the key comes from the message ID in header x-id, which the signature does not cover";
    assert_reported(&provider, "", &[expected]);
    assert_reported(&provider, ", key: message_id", &[expected]);
    assert_reported(&provider, ", key: body_sha256", &[]);
    let config = read(&provider, "").unwrap();
    assert!(config.warnings[0].hint.as_deref().unwrap().contains("`key: body_sha256`"));
    assert!(read(&provider, ", strict_fields: true").unwrap_err().contains("`key: body_sha256`"));
    // A fallback is enough: whoever replays an event without an ID can give it one.
    let fallback = custom(BODY, ", message_id: [{ json: /id }, { header: X-Id }]");
    assert_reported(&fallback, "", &["in header x-id where there is no body /id, and the signature"]);
}

#[test]
fn an_unsigned_type_matters_where_topics_follow_from_it() {
    let provider = custom(BODY, ", event_type: { header: X-Event }");
    let chooses = "by `topics` \"a\", \"*\", and that comes from header x-event, which the signature";
    assert_reported(&provider, TWO_TOPICS, &[chooses]);
    for (rest, expected) in [
        (", topics: { '*': 'hooks.{type}' }", "by `topics` \"*\""),
        (", topics: { a: x }", "by `topics` \"a\""),
        (", topics: { a: { drop: true } }", "by `topics` \"a\""),
        (
            ", topics: { a: p, b: p, c: p, d: p, e: p, f: p }",
            "by `topics` \"a\", \"b\", \"c\", \"d\", 2 more",
        ),
    ] {
        assert_reported(&provider, rest, &[expected]);
    }
    // One way for all types: the header decides nothing.
    for rest in ["", ", unmapped: drop", ", topics: { '*': x }", ", topics: { a: x, 'b.*': x, '*': x }"] {
        assert_reported(&provider, rest, &[]);
    }
    assert_reported(&provider, ", topics: { a: webhooks.s }", &[]);
}

#[test]
fn a_signed_place_first_does_not_sign_the_fallback() {
    let expected = "that comes from header x-webhook-event where there is no body /type, and the signature";
    assert_reported("generic-sha256", TWO_TOPICS, &[expected]);
    assert_reported("generic-sha256", "", &[]);
    let mended = "{ extends: generic-sha256, event_type: { json: /type } }";
    assert_reported(mended, TWO_TOPICS, &[]);
}

#[test]
fn what_is_signed_is_not_reported() {
    for preset in ["svix", "standard-webhooks"] {
        assert_reported(preset, ", topics: { '*': 'hooks.{type}' }", &[]);
    }
    assert_reported("generic-hex", ", topics: { '*': 'hooks.{type}' }", &[]);
    let signed = custom(ID, ", message_id: { header: X-Id }, event_type: { json: /type }");
    assert_reported(&signed, TWO_TOPICS, &[]);
    // The ID's header is signed, another is not.
    let mixed = custom(ID, ", message_id: [{ header: X-Id }, { header: X-Old }]");
    assert_reported(&mixed, "", &["in header x-old where there is no header x-id"]);
    // Without any place the key is the body's hash.
    assert_reported(&custom(BODY, ""), TWO_TOPICS, &[]);
}

/// The fields of Twilio's form follow its URL with nothing between them, and could be moved into a query.
#[test]
fn twilio_signs_a_query_only_if_the_source_names_it() {
    let twilio = "{ extends: twilio, message_id: { query: id } }";
    for (url, expected) in [
        ("https://a.example/t", "the message ID in query id, which the signature does not cover"),
        ("https://a.example/t?id=1", "the key comes from the body, which the signature does not cover"),
    ] {
        let config = read(twilio, &format!(", public_url: '{url}'")).unwrap();
        assert!(
            config.warnings.iter().any(|warning| warning.message.contains(expected)),
            "{:?}",
            config.warnings
        );
    }
}

#[test]
fn nothing_is_strict_about_the_unsigned() {
    let text = "kafka: { bootstrap.servers: a:1 }\nsources: { s: { danger_accept_unsigned: true, strict_fields: true } }";
    let shown = parse("hookbridge.yaml", text, &|_| None).unwrap_err().to_string();
    assert!(shown.contains("no field is signed"), "{shown}");
}
