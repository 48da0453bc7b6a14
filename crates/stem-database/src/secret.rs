//! Text that must not be shown.
//!
//! A type rather than care: what holds a password has no `Display`, and its `Debug` says nothing, so that no error,
//! log line or snapshot of a structure can tell it by accident. Overwriting the memory on drop was rejected: the text
//! came from the environment or the arguments of the process, where it stays.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A URL with a password in it, or the password itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The text, for whoever connects with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for SecretText {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told() {
        let secret = SecretText::from("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "*** Some(\n    ***,\n)");
        assert_eq!(secret.reveal(), "hunter2");
    }
}
