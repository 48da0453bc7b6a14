//! From settings to a client of the service.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};

use crate::settings::{Service, Settings};

/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one request may take with its body: a part on a slow line.
const WHOLE: Duration = Duration::from_mins(5);
/// The longest CA bundle that is read.
const MAX_CA: u64 = 16 << 20;

/// A client of a service. What it was made of holds secrets, so it shows nothing.
#[derive(Clone)]
pub(crate) struct Connection(pub(crate) Arc<dyn ObjectStore>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// Makes a client; nothing is asked of the service yet. The error is for people.
pub(crate) fn connect(settings: &Settings) -> Result<Connection, String> {
    // A host program that has chosen its own comes first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let service: Arc<dyn ObjectStore> = match settings.service {
        Service::S3 => s3(settings)?,
        Service::Google => google(settings)?,
        Service::Azure => azure(settings)?,
        Service::Directory => directory(settings)?,
    };
    Ok(Connection(service))
}

/// The library's errors about settings quote them.
fn wrong(what: &'static str) -> impl Fn(object_store::Error) -> String {
    move |_| format!("the settings for {what} are incomplete or wrong (credentials, region, endpoint)")
}

fn s3(settings: &Settings) -> Result<Arc<dyn ObjectStore>, String> {
    // Of the environment first: what is set below goes before it.
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&settings.bucket)
        .with_client_options(client_options(settings)?)
        .with_retry(retry(settings));
    let profile = &settings.profile;
    if settings.anonymous {
        builder = builder.with_skip_signature(true);
    } else if !settings.has_credentials {
        if let (Some(key), Some(secret)) =
            (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"))
        {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
            if let Some(token) = profile.get("aws_session_token") {
                builder = builder.with_token(token);
            }
        } else if ["credential_process", "sso_session", "sso_start_url", "role_arn"]
            .iter()
            .any(|key| profile.get(key).is_some())
        {
            return Err("the profile gets its credentials from a program or a service, which is not done here; \
                        put them into the environment (for example: aws configure export-credentials --format env)"
                .to_owned());
        } else if settings.endpoint.is_some() {
            // Elsewhere than at AWS there is no machine that could be asked for them.
            return Err(
                "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, \
                        or say anonymous=true"
                    .to_owned(),
            );
        }
    }
    // Stores that speak S3 mostly do not care.
    let region = settings.region.as_deref().or(settings.endpoint.as_ref().map(|_| "us-east-1"));
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &settings.endpoint {
        let path_style = settings.path_style.unwrap_or(true);
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, host)) if !path_style => format!("{scheme}://{}.{host}", settings.bucket),
            _ => endpoint.clone(),
        };
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(!path_style);
    } else if let Some(path_style) = settings.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    if settings.checksum {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    builder.build().map(|service| Arc::new(service) as _).map_err(wrong("S3"))
}

fn google(settings: &Settings) -> Result<Arc<dyn ObjectStore>, String> {
    let mut builder =
        GoogleCloudStorageBuilder::from_env().with_bucket_name(&settings.bucket).with_retry(retry(settings));
    let mut options = client_options(settings)?;
    if let Some(endpoint) = &settings.endpoint {
        options = options.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_base_url(endpoint);
    }
    if settings.anonymous {
        builder = builder.with_skip_signature(true);
    }
    let built = builder.with_client_options(options).build();
    built.map(|service| Arc::new(service) as _).map_err(wrong("Google Cloud Storage"))
}

fn azure(settings: &Settings) -> Result<Arc<dyn ObjectStore>, String> {
    let mut builder =
        MicrosoftAzureBuilder::from_env().with_container_name(&settings.bucket).with_retry(retry(settings));
    let mut options = client_options(settings)?;
    if let Some(account) = &settings.account {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = &settings.endpoint {
        options = options.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(endpoint.clone());
    }
    if settings.anonymous {
        builder = builder.with_skip_signature(true);
    }
    let built = builder.with_client_options(options).build();
    built.map(|service| Arc::new(service) as _).map_err(wrong("Azure"))
}

fn directory(settings: &Settings) -> Result<Arc<dyn ObjectStore>, String> {
    // As with other stores in directories, the directory itself is made where the one around it is there.
    match std::fs::create_dir(&settings.bucket) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(format!("the directory cannot be made: {error}"));
        }
        _ => {}
    }
    let service = LocalFileSystem::new_with_prefix(&settings.bucket)
        .map_err(|_| "it is no directory, or one that cannot be used".to_owned())?;
    // Acknowledged has to mean durable.
    Ok(Arc::new(service.with_fsync(true)))
}

fn client_options(settings: &Settings) -> Result<ClientOptions, String> {
    let mut options = ClientOptions::new()
        .with_connect_timeout(CONNECT.min(settings.timeout))
        .with_read_timeout(settings.timeout)
        .with_timeout(WHOLE.max(settings.timeout));
    if let Some(path) = &settings.ca {
        let unusable = |why: &str| format!("the CA bundle '{}' {why}", path.display());
        let length =
            std::fs::metadata(path).map_err(|error| unusable(&format!("cannot be read: {error}")))?.len();
        if length > MAX_CA {
            return Err(unusable("is too long"));
        }
        let pem = std::fs::read(path).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let certificates =
            Certificate::from_pem_bundle(&pem).map_err(|_| unusable("holds no certificates in PEM"))?;
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

fn retry(settings: &Settings) -> RetryConfig {
    RetryConfig {
        // With jitter: the library draws each pause between this and twice the last one.
        backoff: BackoffConfig {
            init_backoff: settings.pause,
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: settings.retries,
        retry_timeout: WHOLE.min(Duration::from_mins(3)),
    }
}
