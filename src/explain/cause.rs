//! The known causes: a code for machines, and what to do about each.
//!
//! The codes are part of the command's interface: they are added to, and never renamed.

/// The causes in one table: name, code, and what to do.
macro_rules! causes {
    ($($name:ident, $code:literal, $remedy:literal;)+) => {
        /// Why a request is refused, as far as it is known.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Cause {
            $($name,)+
        }

        impl Cause {
            /// The code, for machines.
            pub(crate) fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What to do.
            pub(crate) fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)+
                }
            }
        }
    };
}

causes! {
    OtherSourcesSecret, "other_sources_secret",
        "refer to the right secret, or have the provider post to the path of the other source";
    SecretNotValid, "secret_not_valid",
        "have the provider sign with the secret of this time, or widen the secret's `not_before` and `not_after`";
    SecretEncoding, "secret_encoding",
        "copy the secret again as the provider shows it, or say how it is written with `secret: { encoding: ... }` in the provider's scheme";
    SecretPrefix, "secret_prefix",
        "copy the secret again as the provider shows it, or say what belongs to it with `secret: { strip_prefix: ... }` in the provider's scheme";
    SecretSurroundings, "secret_surroundings",
        "write the secret again without anything round it: `printf %s` instead of `echo`, no quotes in env files";
    BodyReserialised, "body_reserialised",
        "find what reads and writes the JSON on its way (a gateway, a function, a framework's body parser), and have it pass on the octets as they came";
    BodyNewline, "body_newline",
        "find what adds or strips it on the way; if it was the capture (an editor, `echo`), capture the exact octets";
    BodyBom, "body_bom",
        "find what adds or strips the byte order mark; often it is an editor";
    BodyLineEndings, "body_line_endings",
        "find what converts line endings: a transfer in text mode, an editor, git's autocrlf; capture the exact octets";
    BodyCharset, "body_charset",
        "find what reads the body as text in another charset on its way, and have it pass on the octets";
    BodyEncoded, "body_encoded",
        "give the octets themselves to --body; if it arrives so, have the gateway pass the body on as it came";
    BodyCompressed, "body_compressed",
        "have the proxy pass bodies on as they come; to see whether the rest is right, decompress the file and explain that";
    BodyDecompressed, "body_decompressed",
        "have the sender post without Content-Encoding; a proxy that decompresses must take the header off, too";
    BodyChunked, "body_chunked",
        "give the decoded body; a proxy that passes chunk framing on as a body is broken";
    BodyAppended, "body_appended",
        "find what appends to the body; often it is the capture";
    BodyTruncated, "body_truncated",
        "capture the whole body; if it arrives so, look for a size limit in front of this service";
    BodyEmpty, "body_empty",
        "find what has consumed the body: a redirect that turned POST into GET, a proxy, or the capture itself";
    BodyTooLarge, "body_too_large",
        "raise the source's `max_body_bytes`, if such bodies are expected";
    FormReencoded, "form_reencoded",
        "find what parses and writes the form on its way, and have it pass on the octets as they came";
    SignatureEncoding, "signature_encoding",
        "if the provider writes it so, say it with `signature: { encoding: ... }` in the provider's scheme";
    SignaturePrefix, "signature_prefix",
        "if the provider writes it so, say it with `signature: { prefix: ... }` in the provider's scheme";
    SignatureQuoted, "signature_quoted",
        "find what alters the header's value on its way; often it is the capture";
    HeaderMissing, "header_missing",
        "see whether the sender sends it, and whether every proxy on the way passes it on";
    HeaderRepeated, "header_repeated",
        "find what adds the second header on the way, and have it leave the first alone";
    HeaderMalformed, "header_malformed",
        "see whether the source's `provider` is the one that really sends";
    ContentAmbiguous, "content_ambiguous",
        "have the sender use IDs and values without such characters; what it signs could as well be another request";
    HeaderRenamed, "header_renamed",
        "have the proxy or framework pass headers on under their own names; if only the capture names them so, write them as they were";
    HeaderFolded, "header_folded",
        "have the header sent on one line; folding is obsolete, and refused by servers";
    HeadersJoined, "headers_joined",
        "find what joins repeated headers, or sends the header twice";
    HeaderFamiliesMixed, "header_families_mixed",
        "have the request carry one family of headers only; a relay that signs again must take off those that came";
    IdAltered, "id_altered",
        "find what replaces the message ID on the way, such as a request-ID middleware";
    TimestampOutsideTolerance, "timestamp_outside_tolerance",
        "if it was captured earlier, give the time of receipt with --at; else set the clocks by NTP, and see what delays or replays requests";
    TimestampUnit, "timestamp_unit",
        "if the provider writes it so, say it with `timestamp: { unit: ... }` in the provider's scheme";
    WrongPreset, "wrong_preset",
        "name that preset as the source's `provider`";
    WrongAlgorithm, "wrong_algorithm",
        "if the provider signs so, say it with `signature: { algorithm: ... }` in the provider's scheme";
    WrongContent, "wrong_content",
        "if the provider signs so, say it with `signature: { content: ... }` in the provider's scheme";
    PublicUrl, "public_url",
        "write the source's `public_url` exactly as it is entered at the provider";
    BodyIsToken, "body_is_token",
        "such a body is never an event of this provider: see who sends it";
    Handshake, "handshake",
        "see what the provider's setup asks for with `hookbridge providers show`, and the source's `handshake_token`";
    Method, "method",
        "webhooks are sent with POST; a redirect on the way can turn POST into GET";
    Path, "path",
        "have the provider post to the source's own path";
    Disabled, "disabled",
        "take `enabled: false` out of the source";
    Unmapped, "unmapped",
        "name the type in the source's `topics`, or let `unmapped` be `topic`";
}
