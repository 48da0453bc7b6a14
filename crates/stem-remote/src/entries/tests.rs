use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/format/remote.md");

#[test]
fn names_are_those_of_the_page() {
    let digits = "0123456789abcdef".repeat(2);
    assert!(is_name(&format!("20261122T083413597654Z-{digits}")));
    for foreign in [
        String::new(),
        digits.clone(),
        format!("20261122T083413597654-{digits}"),
        format!("2026-1122T083413597654Z-{digits}"),
        format!("20261122T083413597654Z-{}", digits.to_uppercase()),
        format!("20261122T083413597654Z-{digits}0"),
        format!("20261122T083413597654Z-{digits}/x"),
        format!("../{digits}"),
    ] {
        assert!(!is_name(&foreign), "{foreign}");
    }
}

#[test]
fn the_page_says_how_many_there_may_be() {
    assert!(DOCUMENT.contains("lists of roots; condemned lists; entries in a store | 65,536 each |"));
    assert_eq!(MOST_ENTRIES, 65_536);
}
