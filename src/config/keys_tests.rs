//! What a provider file and a source may say of fetched keys.

use super::super::validate::parse;
use super::super::{Config, Invalid};

fn read(source: &str) -> Result<Config, Invalid> {
    let indented: String = source.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("kafka: {{ bootstrap.servers: kafka:9092 }}\nsources:\n  s:\n{indented}");
    parse("hookbridge.yaml", &text, &|name| (name != "UNSET").then(|| format!("value of {name}")))
}

fn faults(source: &str) -> String {
    read(source).err().unwrap_or_else(|| panic!("{source} is accepted")).to_string()
}

fn warnings(source: &str) -> String {
    let config = read(source).unwrap_or_else(|faults| panic!("{faults}"));
    config.warnings.iter().map(|warning| format!("{}: {}\n", warning.path, warning.message)).collect()
}

const CREDENTIALS: &str = "key_credentials: { client_id: { env: ID }, secret: { env: SECRET } }";

#[test]
fn a_source_whose_keys_are_fetched_needs_no_secrets() {
    for source in [
        "provider: paypal\nparameters: { webhook_id: 1AB }".to_owned(),
        "provider: aws-sns".to_owned(),
        format!("provider: plaid\n{CREDENTIALS}"),
        format!("provider: ebay\nhandshake: false\n{CREDENTIALS}"),
        format!(
            "provider: {{ extends: plaid, keys: {{ url: https://sandbox.plaid.com/webhook_verification_key/get }} }}\n{CREDENTIALS}"
        ),
    ] {
        let config = read(&source).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(config.sources[0].fetched_keys.is_some(), "{source}");
    }
    let own = "provider: svix\nsecrets: [{ env: A }]";
    assert!(read(own).is_err() || read(own).unwrap().sources[0].fetched_keys.is_none());
    assert!(
        read("provider: paypal\ndanger_accept_unsigned: true").unwrap().sources[0].fetched_keys.is_none()
    );
}

#[test]
fn what_is_missing_or_of_no_use_is_said() {
    for (source, expected) in [
        ("provider: paypal", "the scheme signs the parameter `webhook_id`"),
        ("provider: plaid", "sources.s.key_credentials: `key_credentials` is missing"),
        (
            "provider: ebay\nkey_credentials: {}",
            "sources.s.key_credentials.client_id: `client_id` is missing",
        ),
        (
            "provider: ebay\nkey_credentials: { client_id: { env: A }, secret: { env: UNSET } }",
            "sources.s.key_credentials.secret: the environment variable `UNSET` is not set",
        ),
        (
            "provider: aws-sns\nkey_credentials: { client_id: { env: A }, secret: { env: A } }",
            "the provider gives its keys to anybody",
        ),
        (
            "provider: generic-hex\nsecrets: [{ env: LONG_ENOUGH }]\nkey_credentials: {}",
            "no keys are fetched",
        ),
        (
            "provider: generic-hex\nsecrets: [{ env: LONG_ENOUGH }]\nconfirm_subscriptions: true",
            "only subscriptions of Amazon SNS",
        ),
        ("provider: aws-sns\nconfirm_subscriptions: true", "anybody's topic could write to yours"),
    ] {
        let shown = faults(source);
        assert!(!shown.contains("`secrets` is missing"), "{source}: {shown}");
        assert!(shown.contains(expected), "{source}: {shown}");
    }
}

#[test]
fn that_anybodys_topic_passes_is_warned_of() {
    assert!(warnings("provider: aws-sns").contains("parameters: messages of any topic of SNS"));
    let named = "provider: aws-sns\nconfirm_subscriptions: true\nparameters: { topic_arns: 'arn:aws:sns:us-east-1:1:a' }";
    assert!(!warnings(named).contains("any topic"));
    // What the ID and the type come from is signed by name, and always there.
    assert!(read(&format!("{named}\nstrict_fields: true")).is_ok());
    assert!(
        warnings(named)
            .contains("covers these values alone: /Message, /MessageId, /Timestamp, /TopicArn, /Type")
    );
    assert!(warnings("provider: paypal\nparameters: { webhook_id: 1AB }").contains("does not cover"));
}

#[test]
fn a_provider_file_must_pin_what_it_fetches() {
    let provider = |keys: &str| {
        format!(
            "provider:\n  signature: {{ header: X-S, algorithm: rsa-sha256, encoding: base64, content: '{{body}}' }}\n  keys: {{ {keys} }}"
        )
    };
    let good = "url: { header: X-U }, hosts: [a.example.com], path: /k/*, format: certificate";
    assert!(read(&provider(good)).is_ok());
    for (keys, expected) in [
        ("format: certificate", "`url` is missing"),
        ("url: { header: X-U }, format: certificate", "`hosts` is missing"),
        ("url: { header: X-U }, hosts: [a.example.com], format: certificate", "`path` is missing"),
        ("url: { header: X-U }, hosts: ['*.com'], path: /k, format: certificate", "`*.com` is no host"),
        ("url: { header: X-U }, hosts: [10.0.0.1], path: /k, format: certificate", "`10.0.0.1` is no host"),
        ("url: { header: X-U }, hosts: [], path: /k, format: certificate", "`hosts` is missing"),
        ("url: { header: X-U, json: /u }, hosts: [a.example.com], path: /k, format: jwk", "say one place"),
        ("url: { header: X-U }, hosts: [a.example.com], path: /k", "`format` is missing"),
        ("url: 'https://a.example.com/{kid}', format: public_key", "only JSON Web Tokens"),
        ("url: 'http://a.example.com/k', format: public_key", "must be `https://`"),
        (
            "url: { header: X-U }, hosts: [a.example.com], path: /k, format: jwk, access: bearer",
            "`token_url` is missing",
        ),
        (
            "url: { header: X-U }, hosts: [a.example.com], path: /k, format: jwk, scope: x",
            "belong to `access: bearer`",
        ),
    ] {
        let shown = faults(&provider(keys));
        assert!(shown.contains(expected), "{keys}: {shown}");
    }
    let shown = faults(
        "provider:\n  signature: { header: X-S, algorithm: hmac-sha256, encoding: hex, content: '{body}' }\n  keys: { url: 'https://a.example.com/k', format: jwk }",
    );
    assert!(shown.contains("no public keys that could be fetched"), "{shown}");
}
