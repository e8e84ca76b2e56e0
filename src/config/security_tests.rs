//! Security towards Kafka that is configured and not used.

use super::*;
use crate::config::diagnostic::Diagnostic;

#[test]
fn security_that_is_not_used_is_warned_of() {
    let warnings = |kafka: &str| {
        let text = format!(
            "kafka: {{ bootstrap.servers: x{kafka} }}\nsources: {{ s: {{ danger_accept_unsigned: true }} }}"
        );
        let config = parse("a.yaml", &text, &|_| Some("secret".to_owned())).unwrap();
        let of_kafka = |warning: &Diagnostic| warning.path.to_string() == "kafka";
        config
            .warnings
            .iter()
            .filter(|warning| of_kafka(warning))
            .map(|warning| warning.message.clone())
            .collect::<Vec<_>>()
    };
    let sasl = ", sasl.mechanisms: PLAIN, sasl.username: a, sasl.password: { env: A }";
    assert_eq!(warnings(""), [""; 0]);
    assert_eq!(warnings(&format!("{sasl}, security.protocol: SASL_PLAINTEXT")), [""; 0]);
    assert_eq!(
        warnings(sasl),
        ["the protocol is PLAINTEXT, which does not use sasl.mechanisms, sasl.password, sasl.username"]
    );
    let tls = warnings(", ssl.ca.location: /etc/ca.crt, security.protocol: plaintext");
    assert_eq!(tls, ["the protocol is PLAINTEXT, which does not use ssl.ca.location"]);
}
