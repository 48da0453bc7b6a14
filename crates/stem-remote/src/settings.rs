//! What a URL says, what the environment adds, and what may be shown of both.
//!
//! The URL goes before the environment, the environment before a profile, as with the services' own tools. No option of a URL holds a
//! secret: URLs stand in config files, shell histories and errors.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Location;
use crate::profile::{MAX_LEN, Profile};

/// The schemes, and how a URL of each is written.
pub const SCHEMES: &[(&str, &str)] = &[
    ("s3", "s3://BUCKET[/PREFIX][?endpoint=URL&region=R]"),
    ("gs", "gs://BUCKET[/PREFIX]"),
    ("az", "az://CONTAINER[/PREFIX][?account=NAME]"),
    ("file", "file:///DIR[?layout=sharded]"),
];

/// How objects lie in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    #[default]
    Packs,
    Sharded,
}

impl Layout {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Packs => "packs",
            Self::Sharded => "sharded",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Packs, Self::Sharded].into_iter().find(|layout| layout.name() == name)
    }
}

/// Which kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Google,
    Azure,
    Directory,
}

/// Everything that is known before the first request.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself")]
pub(crate) struct Settings {
    pub(crate) service: Service,
    /// The bucket or container; of a directory, its path.
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The store as the user knows it.
    pub(crate) name: String,
    /// What tells this store from others.
    pub(crate) identity: String,
    pub(crate) layout: Option<Layout>,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) path_style: Option<bool>,
    pub(crate) anonymous: bool,
    /// Whether permission bits and times of objects are told.
    pub(crate) metadata: bool,
    pub(crate) checksum: bool,
    pub(crate) ca: Option<PathBuf>,
    /// How long a connection may be silent.
    pub(crate) timeout: Duration,
    /// How often a request is tried again, and how long the first pause is.
    pub(crate) retries: usize,
    pub(crate) pause: Duration,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) profile: Profile,
    /// Whether the environment has credentials.
    pub(crate) has_credentials: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// The store as a URL names it, options left out.
pub(crate) fn plain_name(location: &Location<'_>) -> String {
    let shown: String = location
        .location
        .chars()
        .flat_map(|ch| {
            let escaped: Vec<char> = if ch.is_control() { ch.escape_default().collect() } else { vec![ch] };
            escaped
        })
        .take(300)
        .collect();
    // A user name and password before the host have no meaning here, and are not shown.
    let shown = match shown.rsplit_once('@') {
        Some((_, host)) => format!("//***@{host}"),
        None => shown,
    };
    format!("{}:{shown}", location.scheme)
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads a URL's parts. The error is for people.
    pub(crate) fn read(location: &Location<'_>, env: Environment<'_>) -> Result<Self, String> {
        let (service, bucket, prefix) = place(location)?;
        let options = Options(location.options);
        let profile = if service == Service::S3 {
            aws_profile(options.text("profile"), env)?
        } else {
            Profile::default()
        };
        let from_env =
            |names: &[&str]| names.iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
        let endpoint = match service {
            Service::S3 => options
                .text("endpoint")
                .or_else(|| from_env(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]))
                .or_else(|| profile.get("endpoint_url").map(str::to_owned)),
            _ => options.text("endpoint"),
        };
        let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
        if let Some(endpoint) = &endpoint {
            check_endpoint(endpoint)?;
        }
        let region = options
            .text("region")
            .or_else(|| from_env(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .or_else(|| profile.get("region").map(str::to_owned));
        let ca = options
            .text("ca")
            .or_else(|| from_env(&["AWS_CA_BUNDLE"]).filter(|_| service == Service::S3))
            .or_else(|| profile.get("ca_bundle").map(str::to_owned))
            .map(PathBuf::from);
        let layout = match options.text("layout") {
            None => None,
            Some(name) => Some(Layout::parse(&name).ok_or("layout: there are 'packs' and 'sharded'")?),
        };
        let checksum = match options.text("checksum").as_deref() {
            None | Some("sha256") => true,
            Some("none") => false,
            Some(_) => return Err("checksum: there are 'sha256' and 'none'".to_owned()),
        };
        let account = options.text("account");
        let name = plain_name(location);
        let identity =
            [name.as_str(), endpoint.as_deref().unwrap_or(""), account.as_deref().unwrap_or("")].join("\n");
        let cache = options.text("cache").map(PathBuf::from).or_else(|| {
            let absolute = |path: PathBuf| path.is_absolute().then_some(path);
            let home = || from_env(&["HOME"]).map(|home| PathBuf::from(home).join(".cache"));
            let base = from_env(&["XDG_CACHE_HOME"]).map(PathBuf::from).and_then(absolute).or_else(home);
            base.map(|base| base.join("stemvault/remote"))
        });
        let has_credentials = from_env(&[
            "AWS_ACCESS_KEY_ID",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ])
        .is_some();
        Ok(Self {
            service,
            bucket,
            prefix,
            name,
            identity,
            layout,
            endpoint,
            region,
            account,
            path_style: options.switch("path_style")?,
            anonymous: options.switch("anonymous")?.unwrap_or(false),
            metadata: options.switch("metadata")?.unwrap_or(false),
            checksum,
            ca,
            timeout: options.seconds("timeout")?.unwrap_or(Duration::from_secs(30)),
            retries: options.count("retries")?.unwrap_or(6),
            pause: Duration::from_millis(100),
            cache,
            profile,
            has_credentials,
        })
    }
}

/// Which service, which bucket, which prefix; and no option that this service does not know.
fn place(location: &Location<'_>) -> Result<(Service, String, String), String> {
    let (service, names): (_, &[&str]) = match location.scheme {
        "s3" => {
            (Service::S3, &["endpoint", "region", "path_style", "profile", "anonymous", "checksum", "ca"])
        }
        "gs" => (Service::Google, &["endpoint", "anonymous", "ca"]),
        "az" => (Service::Azure, &["endpoint", "account", "anonymous", "ca"]),
        "file" => (Service::Directory, &[]),
        other => return Err(format!("'{other}' is no kind of remote store")),
    };
    let common = ["layout", "cache", "metadata", "timeout", "retries"];
    for key in location.options.keys() {
        if !names.contains(&key.as_str()) && !common.contains(&key.as_str()) {
            return Err(format!(
                "the option '{}' is unknown; there are {}",
                key.escape_default(),
                [names, &common].concat().join(", ")
            ));
        }
    }
    let rest = location.location.strip_prefix("//").ok_or_else(|| {
        let forms: Vec<&str> = SCHEMES.iter().map(|(_, form)| *form).collect();
        format!("it is written {}", forms.join(", "))
    })?;
    if rest.contains('@') {
        return Err("a URL holds no user or password; credentials come from the environment".to_owned());
    }
    let (bucket, prefix) = if service == Service::Directory {
        if !rest.starts_with('/') {
            return Err("a directory is given as file:///DIR, from the root of the file system on".to_owned());
        }
        (rest.to_owned(), String::new())
    } else {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        (bucket.to_owned(), prefix.trim_matches('/').to_owned())
    };
    if bucket.is_empty() || (service != Service::Directory && !plain_bucket(&bucket)) {
        return Err("the name of the bucket is missing, or is none".to_owned());
    }
    Ok((service, bucket, prefix))
}

/// Letters that a bucket's name is made of, everywhere.
fn plain_bucket(name: &str) -> bool {
    name.len() <= 255 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// An endpoint is a scheme, a host and perhaps a port and a path.
fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['@', '?', '#', ' ']) => Ok(()),
        // What was given may hold a password, and is not repeated.
        _ => {
            Err("endpoint: give http://HOST[:PORT] or https://HOST[:PORT], without user, password or options"
                .to_owned())
        }
    }
}

/// The profile that the environment or the URL names, if its files are there.
fn aws_profile(chosen: Option<String>, env: Environment<'_>) -> Result<Profile, String> {
    let named = chosen.or_else(|| env("AWS_PROFILE")).filter(|name| !name.is_empty());
    let name = named.as_deref().unwrap_or("default");
    let home = || env("HOME").map(|home| PathBuf::from(home).join(".aws"));
    let place =
        |name: &str, file: &str| env(name).map(PathBuf::from).or_else(|| home().map(|home| home.join(file)));
    let mut profile = Profile::default();
    let mut found = false;
    for (variable, file, is_config) in
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials", false), ("AWS_CONFIG_FILE", "config", true)]
    {
        let Some(path) = place(variable, file) else { continue };
        let text =
            read_bounded(&path).map_err(|error| format!("'{}' cannot be read: {error}", path.display()))?;
        found |= text.is_some_and(|text| profile.take(&text, name, is_config));
    }
    if named.is_some() && !found {
        return Err(format!(
            "there is no profile '{}' in ~/.aws/config or ~/.aws/credentials",
            name.escape_default()
        ));
    }
    Ok(profile)
}

/// A file of the user's, if it is there.
fn read_bounded(path: &std::path::Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(std::io::Error::other("it is too long"));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The options of a URL.
struct Options<'a>(&'a BTreeMap<String, String>);

impl Options<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).filter(|value| !value.is_empty()).cloned()
    }

    fn switch(&self, key: &str) -> Result<Option<bool>, String> {
        match self.0.get(key).map(String::as_str) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(format!("{key}: give 'true' or 'false'")),
        }
    }

    fn seconds(&self, key: &str) -> Result<Option<Duration>, String> {
        let Some(text) = self.0.get(key) else { return Ok(None) };
        let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok());
        let seconds = seconds.filter(|seconds| (1..=3600).contains(seconds));
        seconds
            .map(|seconds| Some(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("{key}: give 1s to 3600s"))
    }

    fn count(&self, key: &str) -> Result<Option<usize>, String> {
        let Some(text) = self.0.get(key) else { return Ok(None) };
        let count = text.parse().ok().filter(|count| *count <= 100);
        count.map(Some).ok_or_else(|| format!("{key}: give a number up to 100"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scheme: &str, location: &str, options: &[(&str, &str)]) -> Result<Settings, String> {
        read_in(scheme, location, options, &|_| None)
    }

    fn read_in(
        scheme: &str,
        location: &str,
        options: &[(&str, &str)],
        env: Environment<'_>,
    ) -> Result<Settings, String> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Settings::read(&Location { scheme, location, options: &options }, env)
    }

    #[test]
    fn urls_are_read() {
        let s3 = read("s3", "//bucket/a/b/", &[("endpoint", "http://127.0.0.1:9/"), ("path_style", "true")])
            .unwrap();
        assert_eq!((s3.bucket.as_str(), s3.prefix.as_str(), s3.path_style), ("bucket", "a/b", Some(true)));
        assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(s3.name, "s3://bucket/a/b/");
        assert_eq!(read("file", "///srv/x", &[("layout", "sharded")]).unwrap().bucket, "/srv/x");
        assert_ne!(s3.identity, read("s3", "//bucket/a/b/", &[]).unwrap().identity);
    }

    #[test]
    fn mistakes_are_told_and_no_secret_with_them() {
        for (scheme, location, options, word) in [
            ("s3", "bucket", &[][..], "s3://BUCKET"),
            ("s3", "//", &[], "bucket"),
            ("s3", "//b ad", &[], "bucket"),
            ("s3", "//AK:hunter2@bucket", &[], "environment"),
            ("s3", "//b", &[("secret", "hunter2")], "secret"),
            ("s3", "//b", &[("endpoint", "https://u:hunter2@h")], "endpoint"),
            ("s3", "//b", &[("checksum", "md5")], "checksum"),
            ("s3", "//b", &[("layout", "heap")], "layout"),
            ("s3", "//b", &[("timeout", "5")], "timeout"),
            ("s3", "//b", &[("path_style", "yes")], "path_style"),
            ("s3", "//b", &[("profile", "nobody")], "nobody"),
            ("file", "//host/x", &[], "file:///"),
            ("gs", "//b", &[("region", "x")], "region"),
        ] {
            let problem = read(scheme, location, options).unwrap_err();
            assert!(problem.contains(word), "{location} {options:?} → {problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        let options = BTreeMap::new();
        let name =
            plain_name(&Location { scheme: "s3", location: "//AK:hunter2@b\u{1b}", options: &options });
        assert!(!name.contains("hunter2") && !name.contains('\u{1b}'), "{name}");
    }

    #[test]
    fn the_url_goes_before_the_environment_and_that_before_the_profile() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".aws")).unwrap();
        let config = "[default]\nregion = p\nendpoint_url = http://p\n[profile x]\nregion = x\n";
        std::fs::write(dir.path().join(".aws/config"), config).unwrap();
        std::fs::write(dir.path().join(".aws/credentials"), "[default]\naws_secret_access_key = hunter2\n")
            .unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let only_home = |name: &str| (name == "HOME").then(|| home.clone());
        let settings = read_in("s3", "//bucket", &[], &only_home).unwrap();
        assert_eq!((settings.region.as_deref(), settings.endpoint.as_deref()), (Some("p"), Some("http://p")));
        assert!(!format!("{settings:?} {:?}", settings.profile).contains("hunter2"));
        let more = |name: &str| match name {
            "AWS_REGION" => Some("e".to_owned()),
            "AWS_ENDPOINT_URL" => Some("http://e".to_owned()),
            other => only_home(other),
        };
        let settings = read_in("s3", "//bucket", &[("region", "u")], &more).unwrap();
        assert_eq!((settings.region.as_deref(), settings.endpoint.as_deref()), (Some("u"), Some("http://e")));
        let settings = read_in("s3", "//bucket", &[("profile", "x")], &only_home).unwrap();
        assert_eq!(settings.region.as_deref(), Some("x"));
        assert_eq!(settings.cache, Some(dir.path().join(".cache/stemvault/remote")));
    }
}
