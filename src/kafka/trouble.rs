//! What keeps Kafka away, in words for whoever has to put it right.
//!
//! Takes librdkafka's error code and words. Gives what kind of trouble that is (names, network, TLS, authentication,
//! rights) and what to do about each. Whether Kafka is away at all is left to [`super::health`].

use std::fmt;

use rdkafka::types::RDKafkaErrorCode as Code;

/// librdkafka's words are shorter; this bounds a broker's, which some of them quote.
const MAX_REASON: usize = 500;

/// A complaint of librdkafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about.
    pub kind: Kind,
    /// librdkafka's words, which never hold a secret.
    pub reason: String,
}

/// What a complaint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A broker's name has no address.
    Name,
    /// No connection, or it breaks.
    Network,
    /// The two sides do not agree on who the other is, or on TLS at all.
    Tls,
    /// The broker, or the token's issuer, does not take the credentials.
    Authentication,
    /// The credentials are right, and may not do this.
    Authorization,
    /// No broker is up: what each of them has is said apart.
    AllBrokersDown,
    /// Anything else.
    Other,
}

impl Kind {
    /// The value of the `error.type` attribute.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "kafka_name_resolution",
            Self::Network => "kafka_network",
            Self::Tls => "kafka_tls",
            Self::Authentication => "kafka_authentication",
            Self::Authorization => "kafka_authorization",
            Self::AllBrokersDown => "kafka_all_brokers_down",
            Self::Other => "kafka_client",
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Name => "look at `bootstrap.servers`, at the brokers' `advertised.listeners`, and at DNS",
            Self::Network => {
                "is the broker up, is its port right and open from here, and is `security.protocol` the listener's?"
            }
            Self::Tls => {
                "compare `ssl.ca.location` with who signed the broker's certificate, `bootstrap.servers` with the names in \
                 it, and the dates and the issuer of your own (`ssl.certificate.location`) with what the broker takes"
            }
            Self::Authentication => {
                "look at `sasl.mechanisms`, `sasl.username` and the secret that `kafka` refers to; with OAUTHBEARER, at \
                 the token's endpoint, client ID, secret and scope"
            }
            Self::Authorization => {
                "let this user write and describe its topics, and write idempotently to the cluster \
                 (IdempotentWrite, of brokers before 2.8)"
            }
            Self::AllBrokersDown => "the lines before this one say why",
            Self::Other => "librdkafka's words say what it is",
        }
    }
}

impl Trouble {
    /// Tells from librdkafka's error what it is about. The code alone does not: a connection that ends during the TLS
    /// handshake is a failure of transport to librdkafka, and so is a token that could not be had.
    #[must_use]
    pub fn of(code: Code, reason: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let kind = match code {
            Code::AllBrokersDown => Kind::AllBrokersDown,
            Code::SSL => Kind::Tls,
            Code::Authentication | Code::SaslAuthenticationFailed => Kind::Authentication,
            Code::ClusterAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Kind::Authorization,
            Code::Resolve => Kind::Name,
            _ if says(&["SSL", "certificate"]) => Kind::Tls,
            _ if says(&["SASL", "OAUTHBEARER", "uthentication", "token"]) => Kind::Authentication,
            _ if says(&["uthorization"]) => Kind::Authorization,
            Code::BrokerTransportFailure | Code::OperationTimedOut | Code::MessageTimedOut => Kind::Network,
            _ => Kind::Other,
        };
        Self { kind, reason: reason.chars().take(MAX_REASON).collect() }
    }

    /// Nobody complains, and nobody answers: a broker that hangs.
    pub(super) fn silence() -> Self {
        Self { kind: Kind::Network, reason: "no answer, and no error either".to_owned() }
    }

    /// Whether another complaint says more.
    pub(super) fn is_general(&self) -> bool {
        self.kind == Kind::AllBrokersDown
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// librdkafka 2.12.1's own words.
    #[test]
    fn tells_what_a_complaint_is_about() {
        for (code, reason, kind) in [
            (Code::Resolve, "Failed to resolve 'nowhere:9092': Name or service not known", Kind::Name),
            (
                Code::BrokerTransportFailure,
                "Connect to ipv4#127.0.0.1:9 failed: Connection refused",
                Kind::Network,
            ),
            (Code::SSL, "SSL handshake failed: certificate verify failed", Kind::Tls),
            (Code::BrokerTransportFailure, "SSL handshake failed: Disconnected", Kind::Tls),
            (Code::Authentication, "SASL authentication error: Authentication failed", Kind::Authentication),
            (Code::Authentication, "Failed to acquire SASL OAUTHBEARER token: 401", Kind::Authentication),
            (Code::ClusterAuthorizationFailed, "Failed to acquire idempotence PID", Kind::Authorization),
            (Code::AllBrokersDown, "1/1 brokers are down", Kind::AllBrokersDown),
        ] {
            assert_eq!(Trouble::of(code, reason).kind, kind, "{reason}");
        }
        assert!(Trouble::of(Code::Fail, &"x".repeat(10_000)).reason.len() <= MAX_REASON);
    }
}
