//! What is never told.

use std::sync::Arc;

use stem_pack::PackOptions;
use stem_store::{ErrorKind, Maintain, ObjectStoreExt};
use stem_testkit::s3::{Fault, Injury, Match};

use crate::bucket::{Service, open};

fn shown(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[test]
fn no_error_and_no_debug_text_quotes_a_reply_or_a_url_with_a_secret() {
    let service = Service::plain();
    let store = service.client("one", &[("retries", "0")]).unwrap();
    store.put_bytes(b"kick").unwrap();
    for status in [400, 401, 403, 418, 503] {
        service.server.faults().set(&[Fault {
            of: Match::Any,
            after: 0,
            times: 3,
            injury: Injury::Status(status),
        }]);
        let other = service.client("two", &[("retries", "0")]);
        let text = shown(&other.unwrap_err());
        assert!(text.contains("Injected") || text.contains("refuses"), "{text}");
        assert!(!text.contains("<Error>") && !text.contains("http://"), "{text}");
    }
    let store: Arc<dyn Maintain> = store;
    let text = format!("{store:?}");
    assert!(!text.contains("AmazonS3") && !text.contains("redential"), "{text}");
}

#[test]
fn a_url_with_a_secret_is_refused_without_repeating_it() {
    for location in ["//AK:hunter2@bucket/x", "//bucket/a@hunter2"] {
        let error = open("s3", location, &[], &PackOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = shown(&error);
        assert!(!text.contains("AK:hunter2"), "{text}");
    }
}
