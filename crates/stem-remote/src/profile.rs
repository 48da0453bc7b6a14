//! AWS's profiles, `~/.aws/config` and `~/.aws/credentials`: as much of them as says who one is and where the service is. Pure:
//! text in, values out.
//!
//! The client that is used reads the environment alone, and the library that reads all of these files is an SDK. What needs a
//! program or a service to make credentials (`credential_process`, `sso_…`, `role_arn`) is not done here, and said.

use std::collections::BTreeMap;

/// The longest file that is read.
pub(crate) const MAX_LEN: u64 = 1 << 20;

/// What a profile says. Secrets in it have no way out but [`Profile::get`].
#[derive(Default, Clone, PartialEq, Eq)]
pub(crate) struct Profile(BTreeMap<String, String>);

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Profile {
    /// The value of a key, if it is there and not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Takes in what the profile `name` of this file says. In `config` sections are called `profile NAME`, but for
    /// `default`; in `credentials` `NAME`. What is there already stays.
    pub(crate) fn take(&mut self, text: &str, name: &str, is_config: bool) -> bool {
        let mut inside = false;
        let mut found = false;
        for line in text.lines() {
            // Indented lines belong to a nested setting, such as `s3 =`.
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                let section = section.trim();
                let called = match section.strip_prefix("profile") {
                    Some(rest) if is_config && rest.starts_with([' ', '\t']) => rest.trim(),
                    _ if is_config && section != "default" => "",
                    _ => section,
                };
                inside = called == name;
                found |= inside;
                continue;
            }
            if inside && let Some((key, value)) = line.split_once('=') {
                let value = value.split(" #").next().unwrap_or_default().trim();
                self.0.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| value.to_owned());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: &str = "# people's\n[default]\nregion = eu-west-1\n[profile studio]\nregion=us-east-2 # near\nendpoint_url = https://s3.example.org\ns3 =\n  max_concurrent_requests = 3\n[studio]\nregion = wrong\n[services x]\n";
    const CREDENTIALS: &str = "[default]\naws_access_key_id = AK\n\n[studio]\nAWS_ACCESS_KEY_ID=AK2\naws_secret_access_key = hunter2\n";

    #[test]
    fn a_profile_is_read_from_both_files() {
        let mut profile = Profile::default();
        assert!(profile.take(CREDENTIALS, "studio", false));
        assert!(profile.take(CONFIG, "studio", true));
        assert_eq!(profile.get("aws_access_key_id"), Some("AK2"));
        assert_eq!(profile.get("aws_secret_access_key"), Some("hunter2"));
        assert_eq!(profile.get("region"), Some("us-east-2"));
        assert_eq!(profile.get("endpoint_url"), Some("https://s3.example.org"));
        assert_eq!(profile.get("max_concurrent_requests"), None);
        assert!(!format!("{profile:?}").contains("hunter2"));
        let mut default = Profile::default();
        assert!(default.take(CONFIG, "default", true));
        assert_eq!(default.get("region"), Some("eu-west-1"));
        assert!(!Profile::default().take(CONFIG, "nobody", true));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]a-z =#;\\n\\t]{0,120}") {
            Profile::default().take(&text, "a", true);
        }
    }
}
