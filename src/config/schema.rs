//! The JSON Schemas of the configuration file and of a provider file, for editors and other tools.
//!
//! Takes nothing: they follow from the types in [`super::raw`], whose comments become descriptions. They stand
//! in `schemas/`; a test fails when they are out of step, and `UPDATE_SCHEMAS=1 cargo test schema` writes them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::raw::{RawConfig, RawProvider};

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// Of `hookbridge.yaml`.
#[must_use]
pub fn configuration() -> Schema {
    of::<RawConfig>()
}

/// Of a file in `config/providers/`.
#[must_use]
pub fn provider() -> Schema {
    of::<RawProvider>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_in_the_repository_are_those_of_the_types() {
        for (name, schema) in [("config", configuration()), ("provider", provider())] {
            let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &expected).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(found == expected, "{path} is out of step; run UPDATE_SCHEMAS=1 cargo test schema");
        }
    }
}
