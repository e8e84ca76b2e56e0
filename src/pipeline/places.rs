//! Values of a request, by the places where they stand.
//!
//! Takes the parts of a genuine request, and what its signature covers. Gives what stands at an
//! [`Expression`], marked as signed or not, or says why it is no ID or type. Pure: no I/O, no clock.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

use crate::expression::Expression;
use crate::json::{self, Found, Pointer, Value};
use crate::signature::Coverage;

/// The longest message ID and event type, in octets.
pub const MAX_NAME_OCTETS: usize = 256;

/// A value, and whether the signature covers it. What is not covered can be altered by whoever has seen one
/// genuine request and sends it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The signer wrote it.
    Signed(ByteString),
    /// Anybody may have written it.
    Unsigned(ByteString),
}

impl Field {
    pub(super) fn new(text: ByteString, signed: bool) -> Self {
        if signed { Self::Signed(text) } else { Self::Unsigned(text) }
    }

    /// The text, whoever wrote it.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        match self {
            Self::Signed(text) | Self::Unsigned(text) => text,
        }
    }

    /// Whether the signature covers it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Signed(_))
    }
}

/// The parts of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// What stands behind the `?`, as it was sent.
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a Bytes,
    pub(crate) signed: &'a Coverage,
}

impl Parts<'_> {
    /// Whether the body is a form. The content type is signed by nobody, so it can't make a form of what is written
    /// as JSON: somebody's text in it could then name the event.
    pub(super) fn is_form(&self) -> bool {
        let first = self.body.iter().find(|octet| !octet.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[' | b'"')) {
            return false;
        }
        let media_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// The values at some pointers into a JSON document.
#[derive(Debug)]
pub(super) struct Json<'a> {
    document: &'a Bytes,
    pointers: &'a [&'a Pointer],
    found: Found<'a>,
}

impl<'a> Json<'a> {
    /// A document in which nothing stands.
    pub(super) fn nothing(document: &'a Bytes) -> Self {
        Self { document, pointers: &[], found: Found::default() }
    }

    /// Looks for `pointers`. Without any the document need not be JSON.
    ///
    /// # Errors
    /// See [`json::scan`].
    pub(super) fn scan(document: &'a Bytes, pointers: &'a [&'a Pointer]) -> Result<Self, serde_json::Error> {
        let found = if pointers.is_empty() { Found::default() } else { json::scan(document, pointers)? };
        Ok(Self { document, pointers, found })
    }

    fn text(&self, pointer: &Pointer) -> Result<Option<ByteString>, String> {
        let slot = self.pointers.iter().position(|other| *other == pointer);
        let text = match slot.and_then(|slot| self.found.get(slot)?.as_ref()) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Text(text)) if text.is_empty() => return Ok(None),
            Some(Value::Text(Cow::Borrowed(text)) | Value::Number(text)) => self.slice(text),
            Some(Value::Text(Cow::Owned(text))) => ByteString::from(text.as_str()),
            Some(Value::Other) => {
                return Err(format!("what stands at {pointer} is neither text nor a number"));
            }
        };
        check_name(&text).map_err(|why| format!("what stands at {pointer} {why}"))?;
        Ok(Some(text))
    }

    /// `text` is part of the document: its octets are shared, not copied.
    fn slice(&self, text: &str) -> ByteString {
        let octets = self.document.slice_ref(text.as_bytes());
        ByteString::try_from(octets).unwrap_or_else(|_| ByteString::from(text))
    }
}

/// What is there, and can be no ID or type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable {
    /// See [`Expression::fault_path`].
    pub(super) fault_path: Option<String>,
    pub(super) why: String,
}

/// The places that one event is read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) request: &'a Parts<'a>,
    pub(super) is_form: bool,
    /// The event's own JSON.
    pub(super) event: &'a Json<'a>,
    /// The whole body's: the same, if the body is one event.
    pub(super) body: &'a Json<'a>,
}

impl Places<'_> {
    /// The first of `places` that has a value, with the place, or what is wrong with it. An empty text is no value.
    pub(super) fn first<'e>(
        &self,
        places: &'e [Expression],
    ) -> Result<Option<(Field, &'e Expression)>, Unusable> {
        for place in places {
            match self.at(place) {
                Ok(Some(field)) => return Ok(Some((field, place))),
                Ok(None) => {}
                Err(why) => return Err(Unusable { fault_path: self.fault_path(place), why }),
            }
        }
        Ok(None)
    }

    /// Which part of `place` is at fault; none, if it is what they are joined to.
    fn fault_path(&self, place: &Expression) -> Option<String> {
        let part = place.places().iter().find(|part| self.at(part).is_err())?;
        part.fault_path(self.is_whole())
    }

    /// Whether the body is one event, and no batch.
    pub(super) fn is_whole(&self) -> bool {
        std::ptr::eq(self.event, self.body)
    }

    fn at(&self, place: &Expression) -> Result<Option<Field>, String> {
        let signed = self.request.signed;
        let of_body = |text| Field::new(text, signed.body);
        let is_whole = self.is_whole();
        Ok(match place {
            Expression::Header(names) => self.header(names)?,
            // What a signature names by its place in the body is not what stands at the same place of an element.
            Expression::Json(pointer) => {
                let is_signed = signed.body || (is_whole && signed.json(pointer));
                self.event.text(pointer)?.map(|text| Field::new(text, is_signed))
            }
            Expression::Body(pointer) => {
                self.body.text(pointer)?.map(|text| Field::new(text, signed.json(pointer)))
            }
            Expression::Query(name) => {
                let query = self.request.query.unwrap_or_default();
                pair(query.as_bytes(), name)
                    .map_err(|why| format!("the query's {name} {why}"))?
                    .map(|text| Field::new(text, signed.url))
            }
            Expression::Form(name) if self.is_form => {
                pair(self.request.body, name).map_err(|why| format!("the form's {name} {why}"))?.map(of_body)
            }
            Expression::Form(_) => None,
            Expression::Join { parts, with } => self.join(parts, with)?,
        })
    }

    fn header(&self, names: &[HeaderName]) -> Result<Option<Field>, String> {
        // That there is no second one has been seen to by `verify`.
        let mut values = names.iter().filter_map(|name| Some((name, self.request.headers.get(name)?)));
        let Some((name, value)) = values.find(|(_, value)| !value.is_empty()) else { return Ok(None) };
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| format!("the header {name} is not UTF-8"))?;
        check_name(text).map_err(|why| format!("the header {name} {why}"))?;
        Ok(Some(Field::new(ByteString::from(text), self.request.signed.header(name))))
    }

    fn join(&self, parts: &[Expression], with: &str) -> Result<Option<Field>, String> {
        let (mut joined, mut signed) = (String::new(), true);
        for (index, part) in parts.iter().enumerate() {
            let Some(field) = self.at(part)? else { return Ok(None) };
            if index > 0 {
                joined.push_str(with);
            }
            joined.push_str(field.text());
            signed &= field.is_signed();
        }
        check_name(&joined).map_err(|why| format!("what is joined {why}"))?;
        Ok((!joined.is_empty()).then(|| Field::new(ByteString::from(joined), signed)))
    }
}

/// The value of the one pair of that name, decoded.
fn pair(pairs: &[u8], name: &str) -> Result<Option<ByteString>, &'static str> {
    let mut values = form_urlencoded::parse(pairs).filter(|(other, _)| other == name).map(|(_, value)| value);
    let value = values.next();
    // Readers differ on which one counts.
    if values.next().is_some() {
        return Err("is given twice");
    }
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    // What the decoder puts for octets that are no UTF-8: two values could become one.
    if value.contains(char::REPLACEMENT_CHARACTER) {
        return Err("is not UTF-8");
    }
    check_name(&value)?;
    Ok(Some(ByteString::from(value.into_owned())))
}

/// What a CloudEvents attribute can't hold (CloudEvents 1.0.2, section 3.1), beside control characters.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

fn check_name(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_NAME_OCTETS {
        return Err("is too long");
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character");
    }
    if text.chars().any(is_noncharacter) {
        return Err("has a code point that Unicode has made no character of");
    }
    Ok(())
}
