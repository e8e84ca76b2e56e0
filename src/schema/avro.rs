//! Apache Avro: an event's JSON, in Avro's binary encoding, by the rules of docs/schemas.md.
//!
//! Takes a schema, the named types that it refers to, and an event. Gives the datum's octets, or where the event does not fit.
//! Nothing is rounded, cut or guessed at silently: what does not fit exactly is a fault. What the record has no field
//! for is left out. Pure.
//!
//! Source: the Avro specification 1.12, sections "Binary Encoding" and "Logical Types".

use std::cell::Cell;
use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, EnumSchema, RecordField, RecordSchema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Mismatch, Reference, avro_text, below};

/// As deep as JSON is read; a default may refer to its own type.
const MAX_DEPTH: usize = 128;

/// Values that are looked at for one event, in all branches of its unions.
const MAX_STEPS: usize = 1_000_000;

/// The largest whole number that a JSON number with a fraction or an exponent stands for without doubt: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Every decimal number of so many digits is given back by the double that is next to it (IEEE 754, `DBL_DIG`).
const MAX_DIGITS: usize = 15;

/// A schema, ready for use.
#[derive(Debug)]
pub(super) struct Avro {
    schema: Schema,
    name: Option<String>,
    /// By full name.
    types: HashMap<String, Schema>,
}

impl Avro {
    pub(super) fn compile(text: &str, references: &[Reference]) -> Result<Self, String> {
        let texts: Vec<&str> = references.iter().map(|reference| reference.text.as_str()).collect();
        let (schema, others) = match texts.is_empty() {
            true => (Schema::parse_str(text).map_err(|error| error.to_string())?, Vec::new()),
            false => Schema::parse_str_with_list(text, texts).map_err(|error| error.to_string())?,
        };
        let mut types = HashMap::new();
        for schema in others.iter().chain([&schema]) {
            collect(schema, None, &mut types)?;
        }
        let name = schema.name().map(|name| name.fullname(None));
        Ok(Self { schema, name, types })
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Writes the datum, which may have `most` octets.
    pub(super) fn encode(&self, event: &Value, most: usize, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let steps = Cell::new(0);
        let most = out.len().saturating_add(most);
        let place =
            Place { avro: self, namespace: None, path: "", depth: 0, is_default: false, steps: &steps, most };
        place.write(&self.schema, event, out)
    }
}

/// Notes every named type below `schema`. What is not supported is found here, before any event is.
fn collect(
    schema: &Schema,
    namespace: Option<&str>,
    types: &mut HashMap<String, Schema>,
) -> Result<(), String> {
    if let Some(name) = schema.name()
        && !matches!(schema, Schema::Ref { .. })
    {
        let full = name.fullname(namespace.map(str::to_owned));
        if types.insert(full, schema.clone()).is_some() {
            return Ok(());
        }
    }
    match schema {
        Schema::Array(array) => collect(&array.items, namespace, types),
        Schema::Map(map) => collect(&map.types, namespace, types),
        Schema::Union(union) => {
            union.variants().iter().try_for_each(|branch| collect(branch, namespace, types))
        }
        Schema::Record(record) => {
            let own = record.name.namespace.as_deref().or(namespace);
            record.fields.iter().try_for_each(|field| collect(&field.schema, own, types))
        }
        Schema::BigDecimal | Schema::Duration => {
            Err("the logical types `big-decimal` and `duration` are not supported".to_owned())
        }
        _ => Ok(()),
    }
}

/// Where a value stands, and what it is read by.
#[derive(Clone, Copy)]
struct Place<'a> {
    avro: &'a Avro,
    /// Of the record that it is in.
    namespace: Option<&'a str>,
    path: &'a str,
    depth: usize,
    /// A schema's default writes octets as characters, an event in base64.
    is_default: bool,
    steps: &'a Cell<usize>,
    /// As long may what is written become.
    most: usize,
}

impl<'a> Place<'a> {
    fn fault(&self, message: impl std::fmt::Display) -> Mismatch {
        Mismatch::new(self.path, message)
    }

    fn wrong(&self, wanted: &str, value: &Value) -> Mismatch {
        self.fault(format_args!("{wanted} is wanted, and {} stands there", kind_of(value)))
    }

    fn at<'b>(&self, path: &'b str) -> Place<'b>
    where
        'a: 'b,
    {
        Place { path, depth: self.depth + 1, ..*self }
    }

    fn write(&self, schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return Err(self.fault("the event has too many ways to be read by the schema's unions"));
        }
        if out.len() > self.most {
            return Err(self.fault("with the schema's defaults it is far larger than the event"));
        }
        if self.depth > MAX_DEPTH {
            return Err(self.fault(format_args!("it is more than {MAX_DEPTH} levels deep")));
        }
        match schema {
            Schema::Ref { name } => {
                let full = name.fullname(self.namespace.map(str::to_owned));
                match self.avro.types.get(&full) {
                    Some(schema) => self.write(schema, value, out),
                    None => Err(self.fault(format_args!("the schema does not say what `{full}` is"))),
                }
            }
            Schema::Union(union) => self.union(union.variants(), value, out),
            Schema::Record(record) => self.record(record, value, out),
            Schema::Array(array) => {
                let elements = value.as_array().ok_or_else(|| self.wrong("a list", value))?;
                block(elements.len(), out);
                for (index, element) in elements.iter().enumerate() {
                    self.at(&below(self.path, &index.to_string())).write(&array.items, element, out)?;
                }
                long(0, out);
                Ok(())
            }
            Schema::Map(map) => {
                let members = value.as_object().ok_or_else(|| self.wrong("an object", value))?;
                block(members.len(), out);
                for (name, member) in members {
                    octets(name.as_bytes(), out);
                    self.at(&below(self.path, name)).write(&map.types, member, out)?;
                }
                long(0, out);
                Ok(())
            }
            Schema::Enum(of) => self.symbol(of, value, out),
            schema => self.scalar(schema, value, out),
        }
    }

    /// The first branch that takes the value, in the schema's order.
    fn union(&self, branches: &[Schema], value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let begin = out.len();
        let mut deepest: Option<Mismatch> = None;
        for (index, branch) in branches.iter().enumerate() {
            if matches!(branch, Schema::Null) != value.is_null() {
                continue;
            }
            long(i64::try_from(index).unwrap_or(i64::MAX), out);
            match self.write(branch, value, out) {
                Ok(()) => return Ok(()),
                Err(fault) => {
                    out.truncate(begin);
                    if deepest.as_ref().is_none_or(|deepest| deepest.path.len() < fault.path.len()) {
                        deepest = Some(fault);
                    }
                }
            }
        }
        let wrong = || self.fault(format_args!("no branch of the union takes {}", kind_of(value)));
        Err(deepest.unwrap_or_else(wrong))
    }

    fn record(&self, record: &RecordSchema, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let members = value.as_object().ok_or_else(|| self.wrong("an object", value))?;
        let namespace = record.name.namespace.as_deref().or(self.namespace);
        for field in &record.fields {
            let aliases = field.aliases.iter().flatten();
            let mut names = std::iter::once(&field.name).chain(aliases);
            let found = names.find_map(|name| Some((name, members.get(name)?)));
            match found {
                Some((name, member)) => {
                    let path = below(self.path, name);
                    Place { namespace, ..self.at(&path) }.write(&field.schema, member, out)?;
                }
                None => {
                    let path = below(self.path, &field.name);
                    Place { namespace, ..self.at(&path) }.missing(field, out)?;
                }
            }
        }
        Ok(())
    }

    /// A field that the event does not have: the schema's default, else null where that is allowed.
    fn missing(&self, field: &RecordField, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let can_be_null = match &field.schema {
            Schema::Null => true,
            Schema::Union(union) => union.variants().contains(&Schema::Null),
            _ => false,
        };
        match &field.default {
            Some(default) => Place { is_default: true, ..*self }.write(&field.schema, default, out),
            None if can_be_null => self.write(&field.schema, &Value::Null, out),
            None => Err(self.fault("the schema wants it, and the event does not have it")),
        }
    }

    fn symbol(&self, of: &EnumSchema, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let text = value.as_str().ok_or_else(|| self.wrong("text", value))?;
        let index = of.symbols.iter().position(|symbol| symbol == text);
        let index = index.ok_or_else(|| self.fault(format_args!("it is no symbol of `{}`", of.name.name)))?;
        long(i64::try_from(index).unwrap_or(i64::MAX), out);
        Ok(())
    }

    fn scalar(&self, schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let text = |wanted: &str| value.as_str().ok_or_else(|| self.wrong(wanted, value));
        match schema {
            Schema::Null if value.is_null() => {}
            Schema::Null => return Err(self.wrong("null", value)),
            Schema::Boolean => {
                let value = value.as_bool().ok_or_else(|| self.wrong("true or false", value))?;
                out.push(u8::from(value));
            }
            Schema::Int => long(self.whole(value, i64::from(i32::MIN), i64::from(i32::MAX))?, out),
            Schema::Long => long(self.whole(value, i64::MIN, i64::MAX)?, out),
            Schema::Float => {
                let number = value.as_f64().ok_or_else(|| self.wrong("a number", value))?;
                let single = number as f32;
                if !single.is_finite() {
                    return Err(self.fault("the number is too large for a float"));
                }
                out.extend(single.to_le_bytes());
            }
            Schema::Double => {
                let number = value.as_f64().ok_or_else(|| self.wrong("a number", value))?;
                out.extend(number.to_le_bytes());
            }
            Schema::String => octets(text("text")?.as_bytes(), out),
            Schema::Uuid => {
                let uuid = apache_avro::Uuid::try_parse(text("a UUID")?);
                let uuid = uuid.map_err(|_| self.fault("it is no UUID"))?;
                octets(uuid.hyphenated().to_string().as_bytes(), out);
            }
            Schema::Bytes => octets(&self.binary(text("text in base64")?)?, out),
            Schema::Fixed(fixed) => {
                let binary = self.binary(text("text in base64")?)?;
                if binary.len() != fixed.size {
                    let is = binary.len();
                    return Err(self.fault(format_args!("{} octets are wanted, and it has {is}", fixed.size)));
                }
                out.extend(binary);
            }
            Schema::Decimal(decimal) => self.decimal(decimal, value, out)?,
            other => long(self.time(other, value)?, out),
        }
        Ok(())
    }

    fn whole(&self, value: &Value, least: i64, most: i64) -> Result<i64, Mismatch> {
        let number = match value {
            Value::Number(number) => number,
            _ => return Err(self.wrong("a whole number", value)),
        };
        let whole = match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Some(whole),
            // `1.0` and `1e3` are whole numbers.
            (None, Some(float)) if float.fract() == 0.0 && float.abs() <= MAX_EXACT => Some(float as i64),
            _ => None,
        };
        whole
            .filter(|whole| (least..=most).contains(whole))
            .ok_or_else(|| self.fault(format_args!("a whole number from {least} to {most} is wanted")))
    }

    fn binary(&self, text: &str) -> Result<Vec<u8>, Mismatch> {
        match self.is_default {
            true => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)))
                .collect::<Result<_, _>>()
                .map_err(|_| self.fault("the schema's default has a character that is no octet")),
            false => STANDARD.decode(text).map_err(|_| self.fault("it is not base64")),
        }
    }

    fn decimal(&self, of: &DecimalSchema, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        if self.is_default
            && let Value::String(text) = value
        {
            let binary = self.binary(text)?;
            return self.unscaled(of, &binary, out);
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if self.is_exact(number) => number.to_string(),
            Value::Number(_) => {
                let why = format!(
                    "a JSON number of more than {MAX_DIGITS} digits may have been rounded; send it as text"
                );
                return Err(self.fault(why));
            }
            _ => return Err(self.wrong("a number, or one as text,", value)),
        };
        let unscaled = avro_text::unscaled(&text, of.precision, of.scale);
        self.unscaled(of, &unscaled.map_err(|why| self.fault(why))?.to_be_bytes(), out)
    }

    /// Whether a JSON number is the one that was written: beyond whole numbers of 64 bits it has been read as a double.
    fn is_exact(&self, number: &serde_json::Number) -> bool {
        let text = number.to_string();
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits = mantissa.strip_suffix(".0").unwrap_or(mantissa).bytes().filter(u8::is_ascii_digit);
        number.is_i64()
            || number.is_u64()
            || number.as_f64().is_some_and(|double| double.abs() <= MAX_EXACT)
                && digits.skip_while(|digit| *digit == b'0').count() <= MAX_DIGITS
    }

    /// A number in two's complement, as short as it can be, or as long as the type is.
    fn unscaled(&self, of: &DecimalSchema, number: &[u8], out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let sign = if number.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
        let is_spare = |pair: &[u8]| pair[0] == sign && (pair[1] ^ sign) & 0x80 == 0;
        let spare = number.windows(2).take_while(|pair| is_spare(pair)).count();
        let short = &number[spare..];
        match &*of.inner {
            Schema::Fixed(fixed) if short.len() <= fixed.size => {
                out.extend(std::iter::repeat_n(sign, fixed.size - short.len()));
                out.extend_from_slice(short);
            }
            Schema::Fixed(fixed) => {
                return Err(self.fault(format_args!("the number does not fit into {} octets", fixed.size)));
            }
            _ => octets(short, out),
        }
        Ok(())
    }

    fn time(&self, schema: &Schema, value: &Value) -> Result<i64, Mismatch> {
        let (least, most) = match schema {
            Schema::Date | Schema::TimeMillis => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let Value::String(text) = value else { return self.whole(value, least, most) };
        let (read, per_second, wanted) = match schema {
            Schema::Date => (avro_text::date(text).map(i128::from), 0, "a date such as 2026-01-31"),
            Schema::TimeMillis => (avro_text::time_of_day(text), 1_000, "a time such as 23:59:59.123"),
            Schema::TimeMicros => (avro_text::time_of_day(text), 1_000_000, "a time such as 23:59:59.123"),
            Schema::TimestampMillis => (avro_text::instant(text), 1_000, "an instant of RFC 3339"),
            Schema::TimestampMicros => (avro_text::instant(text), 1_000_000, "an instant of RFC 3339"),
            Schema::TimestampNanos => (avro_text::instant(text), 1_000_000_000, "an instant of RFC 3339"),
            Schema::LocalTimestampMillis => (avro_text::local(text), 1_000, "a date and time without a zone"),
            Schema::LocalTimestampMicros => {
                (avro_text::local(text), 1_000_000, "a date and time without a zone")
            }
            Schema::LocalTimestampNanos => {
                (avro_text::local(text), 1_000_000_000, "a date and time without a zone")
            }
            _ => return Err(self.fault("the schema has a type that is not supported")),
        };
        let nanoseconds =
            read.ok_or_else(|| self.fault(format_args!("{wanted} is wanted, or a whole number")))?;
        let number = match per_second {
            0 => nanoseconds,
            per_second => {
                let unit = avro_text::NANOSECONDS / per_second;
                if nanoseconds % unit != 0 {
                    return Err(self.fault("it is more precise than the type"));
                }
                nanoseconds / unit
            }
        };
        i64::try_from(number).map_err(|_| self.fault("it is outside of what the type can hold"))
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A number in Avro's variable-length zig-zag encoding.
fn long(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// All of a list or a map is one block, if there is anything in it; an empty block ends it.
fn block(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        long(i64::try_from(count).unwrap_or(i64::MAX), out);
    }
}

/// Octets behind their number.
fn octets(octets: &[u8], out: &mut Vec<u8>) {
    long(i64::try_from(octets.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(octets);
}

#[cfg(test)]
#[path = "avro_tests.rs"]
mod tests;
