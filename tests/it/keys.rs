//! Keys that a provider serves by URL, with the real executable: what it can't get it does not accept; and with a key in
//! the configuration it gets none. What it does with a key that it has got is shown in `src/pipeline/keys_tests.rs`,
//! since nothing in a configuration lets it connect to an address that is not the internet's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::refusals::assert_refusal;
use super::support::command::run;
use super::support::http::Request;
use super::support::scene::Plan;

const KID: &str = "9936261a-7d7b-4621-a0f1-964df81f66d3";

/// eBay's first vector, and its key.
fn ebay(path: &str) -> (Request, String) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ebay.json");
    let vectors: Value =
        serde_json::from_slice(&std::fs::read(file).expect("read the vectors")).expect("vectors");
    let case = &vectors["cases"][0];
    let body = STANDARD.decode(case["body_base64"].as_str().expect("a body")).expect("base64");
    let mut request = Request::post(path, &body);
    for header in case["headers"].as_array().expect("headers") {
        request = request.header(header[0].as_str().expect("a name"), header[1].as_str().expect("a value"));
    }
    (request, vectors["fetched_keys"][KID].as_str().expect("a key").to_owned())
}

#[test]
fn a_key_that_can_not_be_fetched_is_a_503() {
    // A name of this machine alone (RFC 6761), whatever its address: it is not the internet's.
    let yaml = "{ provider: { extends: ebay, keys: { url: 'https://keys.localhost/{kid}', \
                token_url: https://keys.localhost/token } }, handshake: false, \
                key_credentials: { client_id: { env: EBAY_ID }, secret: { env: EBAY_SECRET } } }";
    let scene = Plan::of("generic-hex")
        .env("EBAY_ID", "an account")
        .env("EBAY_SECRET", "the secret of an account")
        .source("ebay", yaml)
        .start();
    let (request, _) = ebay("/webhooks/ebay");
    let answer = scene.send(&request);
    assert_refusal(&answer, 503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    scene.wait_for_refusal("key_unavailable", "ebay");
    // What names no key is not asked for.
    let malformed = request.with("x-ebay-signature", "bm90aGluZw==");
    assert_refusal(&scene.send(&malformed), 401, "invalid_signature");
    // Other sources have their own keys.
    scene.send(&scene.event("evt_1")).assert_received();
}

#[test]
fn a_key_in_the_configuration_is_used_and_none_is_fetched() {
    let plan = Plan::of("generic-hex");
    let topic = format!("webhooks.{}", plan.name());
    let (request, key) = ebay("/webhooks/ebay");
    let yaml = format!(
        "{{ provider: ebay, handshake: false, secrets: [{{ env: EBAY_KEY }}], topics: {{ '*': {topic} }} }}"
    );
    let scene = plan.env("EBAY_KEY", &key).source("ebay", &yaml).start();
    scene.send(&request).assert_received();
    let mut altered = request.clone();
    altered.body.push(b' ');
    assert_refusal(&scene.send(&altered), 401, "invalid_signature");
    let records = scene.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0].value, records[0].key.as_str()),
        (&request.body, "95dd4486-00de-4320-858d-5f771e0c8a17")
    );
    assert_eq!(records[0].header("ce_type"), Some("MARKETPLACE_ACCOUNT_DELETION"));
    assert_eq!(records[0].header("x-ebay-signature"), Some(request.value("x-ebay-signature")));
}

#[test]
fn explain_names_the_key_and_fetches_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (request, key) = ebay("/webhooks/ebay");
    let file = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).expect("write a file");
        path.to_str().expect("text").to_owned()
    };
    let body = file("body", &request.body);
    let head = file("head", format!("X-EBAY-SIGNATURE: {}\n", request.value("x-ebay-signature")).as_bytes());
    let explained = |source: &str| {
        let yaml = format!("kafka: {{ bootstrap.servers: kafka:9092 }}\nsources:\n  ebay: {{ {source} }}\n");
        let config = file("hookbridge.yaml", yaml.as_bytes());
        let arguments =
            ["explain", "--config", &config, "--source", "ebay", "--headers", &head, "--body", &body];
        run(&arguments, &[("EBAY_KEY", &key), ("EBAY_ID", "an account"), ("EBAY_SECRET", "a secret")])
    };
    let fetched = explained(
        "provider: ebay, handshake: false, key_credentials: { client_id: { env: EBAY_ID }, secret: { env: EBAY_SECRET } }",
    );
    assert_eq!(fetched.code, 1, "{fetched:?}");
    let named = format!(
        "it is at https://api.ebay.com/commerce/notification/v1/public_key/{KID}, and was not fetched"
    );
    assert!(fetched.stdout.contains(&named), "{}", fetched.stdout);
    assert!(fetched.stdout.contains("refer to it in the source's `secrets`"), "{}", fetched.stdout);
    let own = explained("provider: ebay, handshake: false, secrets: [{ env: EBAY_KEY }]");
    assert_eq!(own.code, 0, "{own:?}");
}
