//! Every verb, stopped at every change that it makes to the disk: the process is killed, or the power goes. Nothing may
//! be lost, what is left must be sound, and running the verb again must end as if nothing had happened.
//!
//! Each scenario (`scenarios.rs`) runs once, watched; the images of all crashes come from the model in
//! `stem_testkit::crash`, and each is opened and examined (`check.rs`). `STEM_CRASH_SEEDS` sets how many times two
//! random images there are for each change, once unless told; `STEM_CRASH_ONLY` names the scenarios to run by a part of their name.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod check;
mod scenarios;
mod sweep;

use scenarios::SCENARIOS;
use sweep::{Settings, Tally};

#[test]
fn no_crash_at_any_change_loses_anything() {
    let settings = Settings::from_environment();
    let mut all = Tally::default();
    for scenario in SCENARIOS.iter().filter(|scenario| settings.includes(scenario)) {
        let tally = sweep::run(scenario, &settings);
        println!("{:32} {tally}", scenario.name);
        all.add(tally);
    }
    println!("{:32} {all}", "all");
    all.assert_clean();
    assert!(settings.is_partial() || all.points() >= 10_000, "only {} points", all.points());
}
