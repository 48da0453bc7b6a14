//! Runs [`stem_testkit::fuzzing::check_shelved_entry`] on bytes that libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stem_testkit::fuzzing::check_shelved_entry(data));
