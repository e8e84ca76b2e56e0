//! A provider's scheme, checked.
//!
//! Takes what a [`RawProvider`] says of signatures, secrets and timestamps, and what a source says about itself.
//! Gives [`Scheme`], or every reason why it can't be used. The rules between these keys stand here alone.

use http::HeaderName;

use super::checker::Checker;
use super::diagnostic::Path;
use super::expressions::header_names;
use super::raw::{
    Algorithm, Encoding, OneOrMany, RawNative, RawProvider, RawSignature, RawTimeUnit, RawVariant,
    SecretEncoding,
};
use crate::expression::Expression;
use crate::json::Pointer;
use crate::signature::jwt::{BodyHash, Jwt, JwtAlgorithm};
use crate::signature::key::{HmacAlgorithm, KeyEncoding, KeyFormat, KeyUse};
use crate::signature::native::Native;
use crate::signature::presented::{Label, SignatureEncoding};
use crate::signature::public_key::PublicAlgorithm;
use crate::signature::query::QueryRule;
use crate::signature::scheme::{Proof, SignaturePlace, Variant};
use crate::signature::sns;
use crate::signature::timestamp::{TimeUnit, TimestampPlace};
use crate::signature::{Account, Content, Coverage, Presented, Scheme, TimestampRule};

/// What a source says about itself, and where it stands in the file.
pub(super) struct Binding<'a> {
    pub(super) account: &'a Account,
    pub(super) at: &'a Path,
}

/// The values of an Adyen item that are signed, by their names.
const ADYEN_SIGNS: [&str; 8] = [
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount/value",
    "amount/currency",
    "eventCode",
    "success",
];

/// Checks the scheme of a provider that stands at `path`.
pub(super) fn scheme(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawProvider,
    message_id: &[Expression],
    binding: &Binding<'_>,
) -> Option<Scheme> {
    let at = path.key("signature");
    let Some(signature) = &raw.signature else {
        check.missing(path, "signature", "say how requests are signed; see config/providers/ for examples");
        return None;
    };
    let Some(algorithm) = signature.algorithm else {
        // What every signature has is asked for at once.
        for (key, present, hint) in [
            ("header", signature.header.is_some(), "the header that holds the signature"),
            ("algorithm", false, "such as `hmac-sha256`"),
            ("encoding", signature.encoding.is_some(), "`hex` or `base64`"),
            ("content", signature.content.is_some(), "what is signed, such as `{body}`"),
        ] {
            if !present {
                check.missing(&at, key, hint);
            }
        }
        return None;
    };
    let place = place(check, &at, signature, algorithm);
    let first = variant(check, &at, raw, signature, algorithm);
    let content = content(check, &at, signature, algorithm);
    let proof = proof(check, &at, signature, algorithm, content.as_ref(), binding);
    let has_id = content.as_ref().is_some_and(Content::has_id);
    let id_headers = message_id.iter().find_map(Expression::headers).map(<[HeaderName]>::to_vec);
    if has_id && id_headers.is_none() {
        check.missing(path, "message_id", "the content has `{id}`: name its header, `{ header: X-Id }`");
    }
    let timestamp = timestamp(check, path, raw, content.as_ref(), proof.as_ref());
    let id_headers = if has_id { id_headers? } else { Vec::new() };
    let (proof, first) = (proof?, first?);
    let mut variants = vec![first];
    for (index, variant) in signature.variants.iter().flatten().enumerate() {
        let at = at.key("variants").index(index);
        variants.push(further_variant(check, &at, variant, &variants[0])?);
    }
    let public_query = || {
        let url = binding.account.public_url.as_deref()?;
        url.split_once('?').map(|(_, query)| query.to_owned())
    };
    let signs_url = content.as_ref().is_some_and(Content::has_url);
    let query = signs_url.then(|| match public_query() {
        Some(query) => QueryRule::Is(query),
        None => QueryRule::Any,
    });
    Some(Scheme {
        coverage: coverage(content.as_ref(), &proof, &id_headers, timestamp.as_ref()),
        place: place?,
        variants,
        proof,
        id_headers,
        timestamp,
        query,
    })
}

fn place(
    check: &mut Checker<'_>,
    at: &Path,
    signature: &RawSignature,
    algorithm: Algorithm,
) -> Option<SignaturePlace> {
    let credential = !is_signature(algorithm);
    match (&signature.header, &signature.json, &signature.query) {
        (Some(names), None, None) => {
            let names = signature_headers(check, &at.key("header"), names, credential)?;
            match signature.together {
                Some(true) => Some(SignaturePlace::Headers(names)),
                _ => Some(SignaturePlace::Header(names)),
            }
        }
        (None, Some(pointer), None) => match Pointer::parse(pointer) {
            Ok(pointer) => Some(SignaturePlace::Json(pointer)),
            Err(why) => {
                check.error(&at.key("json"), why);
                None
            }
        },
        (None, None, Some(name)) => Some(SignaturePlace::Query(name.clone())),
        // The signatures stand beside what they are over, where the native code looks for them.
        (None, None, None) if signature.native == Some(RawNative::Adyen) => {
            Pointer::parse("/notificationItems").ok().map(SignaturePlace::Json)
        }
        (None, None, None) => {
            check.missing(at, "header", "the header that holds the signature");
            None
        }
        _ => {
            check.error(at, "the signature stands in one place: `header`, `json` or `query`");
            None
        }
    }
}

/// A credential may stand in `Authorization`, which is never copied into a record.
fn signature_headers(
    check: &mut Checker<'_>,
    path: &Path,
    names: &OneOrMany,
    credential: bool,
) -> Option<Vec<HeaderName>> {
    match names.0.as_slice() {
        [name] if credential && name.eq_ignore_ascii_case("authorization") => {
            Some(vec![http::header::AUTHORIZATION])
        }
        _ => header_names(check, path, names),
    }
}

fn is_signature(algorithm: Algorithm) -> bool {
    !matches!(
        algorithm,
        Algorithm::Token | Algorithm::Basic | Algorithm::JwtHs256 | Algorithm::JwtRs256 | Algorithm::JwtEs256
    )
}

fn key_use(algorithm: Algorithm) -> KeyUse {
    match algorithm {
        Algorithm::HmacSha1 => KeyUse::Hmac(HmacAlgorithm::Sha1),
        Algorithm::HmacSha256 => KeyUse::Hmac(HmacAlgorithm::Sha256),
        Algorithm::HmacSha512 => KeyUse::Hmac(HmacAlgorithm::Sha512),
        Algorithm::Ed25519 => KeyUse::Public(PublicAlgorithm::Ed25519),
        Algorithm::EcdsaP256Sha256 => KeyUse::Public(PublicAlgorithm::EcdsaP256Sha256),
        Algorithm::EcdsaP256Sha1 => KeyUse::Public(PublicAlgorithm::EcdsaP256Sha1),
        Algorithm::RsaSha1 => KeyUse::Public(PublicAlgorithm::RsaSha1),
        Algorithm::RsaSha256 | Algorithm::JwtRs256 => KeyUse::Public(PublicAlgorithm::RsaSha256),
        Algorithm::RsaSha512 => KeyUse::Public(PublicAlgorithm::RsaSha512),
        Algorithm::JwtEs256 => KeyUse::Public(PublicAlgorithm::EcdsaP256Sha256Fixed),
        Algorithm::Token | Algorithm::Basic => KeyUse::Token,
        Algorithm::JwtHs256 => KeyUse::JwtHmac,
    }
}

fn encoding(encoding: Encoding) -> SignatureEncoding {
    match encoding {
        Encoding::Hex => SignatureEncoding::Hex,
        Encoding::HexUpper => SignatureEncoding::HexUpper,
        Encoding::Base64 => SignatureEncoding::Base64,
        Encoding::Base64url => SignatureEncoding::Base64Url,
        Encoding::Base64Hex => SignatureEncoding::Base64Hex,
    }
}

fn variant(
    check: &mut Checker<'_>,
    at: &Path,
    raw: &RawProvider,
    signature: &RawSignature,
    algorithm: Algorithm,
) -> Option<Variant> {
    let separators = signature.separator.clone().map(|separators| separators.0).unwrap_or_default();
    let prefix = signature.prefix.clone().unwrap_or_default();
    let in_the_way = |separator: &String| separator.is_empty() || prefix.contains(separator.as_str());
    if separators.iter().any(in_the_way) {
        check.error(&at.key("separator"), "the separator must not be empty, nor part of the prefix");
        return None;
    }
    if signature.encoding.is_none() && is_signature(algorithm) {
        check.missing(at, "encoding", "`hex` or `base64`");
        return None;
    }
    if signature.encoding.is_some() && !is_signature(algorithm) {
        check.error(&at.key("encoding"), "the algorithm is no signature, so there is nothing to decode");
    }
    let label = match &signature.after {
        Some(text) if text.is_empty() || signature.prefix.is_some() => {
            check.error(&at.key("after"), "must not be empty, and stands instead of `prefix`");
            return None;
        }
        Some(text) => Label::After(text.clone()),
        None => Label::Prefix(prefix),
    };
    let secret = raw.secret.clone().unwrap_or_default();
    Some(Variant {
        secret_prefix: None,
        key_format: KeyFormat {
            encoding: match secret.encoding.unwrap_or_default() {
                SecretEncoding::Utf8 => KeyEncoding::Utf8,
                SecretEncoding::Hex => KeyEncoding::Hex,
                SecretEncoding::Base64 => KeyEncoding::Base64,
                SecretEncoding::PublicKey => KeyEncoding::PublicKey,
            },
            strip_prefix: secret.strip_prefix,
        },
        key_use: key_use(algorithm),
        presented: Presented {
            encoding: signature.encoding.map_or(SignatureEncoding::Hex, encoding),
            label,
            separators,
        },
    })
}

fn further_variant(check: &mut Checker<'_>, at: &Path, raw: &RawVariant, first: &Variant) -> Option<Variant> {
    let (Some(secret_prefix), Some(algorithm)) = (&raw.secret_prefix, raw.algorithm) else {
        check.error(at, "a variant needs `secret_prefix`, by which its secrets are known, and `algorithm`");
        return None;
    };
    let key_use = key_use(algorithm);
    if secret_prefix.is_empty() || !is_signature(algorithm) {
        check.error(at, "a variant is another signature algorithm, for secrets with a prefix of their own");
        return None;
    }
    Some(Variant {
        secret_prefix: Some(secret_prefix.clone()),
        key_format: KeyFormat {
            encoding: match key_use {
                KeyUse::Public(_) => KeyEncoding::PublicKey,
                _ => first.key_format.encoding,
            },
            strip_prefix: Some(secret_prefix.clone()),
        },
        key_use,
        presented: Presented {
            label: Label::Prefix(raw.prefix.clone().unwrap_or_default()),
            ..first.presented.clone()
        },
    })
}

fn content(
    check: &mut Checker<'_>,
    at: &Path,
    signature: &RawSignature,
    algorithm: Algorithm,
) -> Option<Content> {
    let given = signature.content.is_some() || signature.native.is_some();
    match (is_signature(algorithm), &signature.content, signature.native) {
        (false, ..) if given => {
            check.error(&at.key("content"), "the algorithm is no signature over content");
            None
        }
        (true, Some(_), Some(_)) => {
            check.error(&at.key("native"), "stands instead of `content`");
            None
        }
        (true, None, None) => {
            check.missing(at, "content", "what is signed, such as `{body}`");
            None
        }
        (_, Some(template), None) => match Content::parse(template) {
            Ok(content) if content.open_border().is_some() => {
                let pair = content.open_border().unwrap_or_default();
                let why = format!(
                    "nothing stands between two values, `{pair}`: octets could be moved from one to the other"
                );
                check.error(&at.key("content"), why);
                None
            }
            Ok(content) if content.says_of_the_body() => Some(content),
            Ok(_) => {
                let why = format!(
                    "`{template}` must have {{body}}: a signature that says nothing of the body proves nothing of it"
                );
                check.error(&at.key("content"), why);
                None
            }
            Err(why) => {
                check.error(&at.key("content"), why);
                None
            }
        },
        _ => None,
    }
}

fn proof(
    check: &mut Checker<'_>,
    at: &Path,
    signature: &RawSignature,
    algorithm: Algorithm,
    content: Option<&Content>,
    binding: &Binding<'_>,
) -> Option<Proof> {
    let jwt = |check: &mut Checker<'_>, algorithm| {
        let body_hash = match &signature.body_hash {
            None => None,
            Some(hash) => {
                let Some(claim) = hash.claim.clone() else {
                    check.missing(&at.key("body_hash"), "claim", "the claim that holds the hash of the body");
                    return None;
                };
                let encoding = hash.encoding.map_or(SignatureEncoding::Hex, encoding);
                Some(BodyHash { claim, encoding })
            }
        };
        Some(Proof::Jwt(Jwt { algorithm, body_hash }))
    };
    match (algorithm, signature.native) {
        (Algorithm::Token, _) => Some(Proof::Token),
        (Algorithm::Basic, _) => Some(Proof::Basic),
        (Algorithm::JwtHs256, _) => jwt(check, JwtAlgorithm::Hs256),
        (Algorithm::JwtRs256, _) => jwt(check, JwtAlgorithm::Rs256),
        (Algorithm::JwtEs256, _) => jwt(check, JwtAlgorithm::Es256),
        (_, Some(RawNative::Adyen)) => Some(Proof::Native(Native::Adyen)),
        (_, Some(RawNative::Ebay)) => Some(Proof::Native(Native::Ebay)),
        (_, Some(RawNative::Sns)) => {
            let topic_arns = binding.account.parameters.get("topic_arns").map(String::as_str);
            Some(Proof::Native(Native::Sns { topic_arns: sns::topic_arns(topic_arns) }))
        }
        (_, Some(RawNative::Twilio)) => match &binding.account.public_url {
            Some(public_url) => Some(Proof::Native(Native::Twilio { public_url: public_url.clone() })),
            None => {
                let why = "the scheme signs the URL: give it as the provider has it";
                check.missing(binding.at, "public_url", why);
                None
            }
        },
        (_, None) => match content?.clone().bind(binding.account) {
            Ok(content) => Some(Proof::Content(content)),
            Err((key, why)) => {
                check.missing(binding.at, &key, &why);
                None
            }
        },
    }
}

fn timestamp(
    check: &mut Checker<'_>,
    path: &Path,
    raw: &RawProvider,
    content: Option<&Content>,
    proof: Option<&Proof>,
) -> Option<TimestampRule> {
    let at = path.key("timestamp");
    let in_content = content.is_some_and(Content::has_timestamp);
    let Some(timestamp) = &raw.timestamp else {
        if in_content {
            check.missing(&at, "header", "the content has `{timestamp}`: name the header that holds it");
        }
        return None;
    };
    let place = match (&timestamp.header, &timestamp.prefix, &timestamp.json, &timestamp.claim) {
        (Some(names), None, None, None) => {
            TimestampPlace::Header(header_names(check, &at.key("header"), names)?)
        }
        (None, Some(prefix), None, None) => TimestampPlace::Entry(prefix.clone()),
        (None, None, Some(pointer), None) => match Pointer::parse(pointer) {
            Ok(pointer) => TimestampPlace::Json(pointer),
            Err(why) => {
                check.error(&at.key("json"), why);
                return None;
            }
        },
        (None, None, None, Some(claim)) => TimestampPlace::Claim(claim.clone()),
        (None, None, None, None) if in_content => {
            check.missing(&at, "header", "the content has `{timestamp}`: name the header that holds it");
            return None;
        }
        (None, None, None, None) => return None,
        _ => {
            check.error(&at, "a timestamp stands in one place: `header`, `prefix`, `json` or `claim`");
            return None;
        }
    };
    let signed = match &place {
        TimestampPlace::Header(_) | TimestampPlace::Entry(_) => in_content,
        TimestampPlace::Json(pointer) => {
            content.is_some_and(|content| {
                content.has_body()
                    || content.has_timestamp()
                    || content.pointers().any(|other| other == pointer)
            }) || (matches!(proof, Some(Proof::Native(Native::Sns { .. })))
                && pointer.to_string() == "/Timestamp")
        }
        TimestampPlace::Claim(_) => matches!(proof, None | Some(Proof::Jwt(_))),
    };
    if !signed {
        check.error(
            &at,
            "a timestamp that the signature does not cover proves nothing: put `{timestamp}` into `content`",
        );
        return None;
    }
    Some(TimestampRule {
        place,
        unit: match timestamp.unit.unwrap_or_default() {
            RawTimeUnit::S => TimeUnit::Seconds,
            RawTimeUnit::Ms => TimeUnit::Milliseconds,
            RawTimeUnit::Rfc3339 => TimeUnit::Rfc3339,
        },
        needs_zone: content.is_some_and(Content::is_open_after_timestamp),
        tolerance: timestamp.tolerance.map_or(TimestampRule::DEFAULT_TOLERANCE, |tolerance| tolerance.0),
    })
}

fn coverage(
    content: Option<&Content>,
    proof: &Proof,
    id_headers: &[HeaderName],
    timestamp: Option<&TimestampRule>,
) -> Coverage {
    let mut coverage = Coverage { timestamp: timestamp.is_some(), ..Coverage::default() };
    if let Some(content) = content {
        coverage.body = content.has_body();
        coverage.url = content.has_url();
        coverage.headers.extend(content.headers().cloned());
        coverage.headers.extend_from_slice(id_headers);
        coverage.pointers.extend(content.pointers().cloned());
    }
    match proof {
        Proof::Jwt(jwt) => coverage.body = jwt.body_hash.is_some(),
        // The form's fields follow the URL with nothing between them: only a query that is named has an end.
        Proof::Native(Native::Twilio { public_url }) => coverage.url = public_url.contains('?'),
        Proof::Native(Native::Ebay) => coverage.body = true,
        Proof::Native(Native::Sns { .. }) => {
            let pointer = |name: &&str| Pointer::parse(&format!("/{name}"));
            coverage.pointers.extend(sns::ALWAYS_SIGNED.iter().flat_map(pointer));
        }
        Proof::Native(Native::Adyen) => {
            let pointer =
                |name| Pointer::parse(&format!("/notificationItems/0/NotificationRequestItem/{name}"));
            coverage.pointers.extend(ADYEN_SIGNS.iter().flat_map(pointer));
        }
        Proof::Content(_) | Proof::Token | Proof::Basic => {}
    }
    if let Some(TimestampPlace::Header(names)) = timestamp.map(|rule| &rule.place) {
        coverage.headers.extend_from_slice(names);
    }
    coverage
}
