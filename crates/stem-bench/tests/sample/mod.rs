//! A made-up comparison with figures as a small studio machine might give them: for tests and for looking at the report.
//! Nothing in it was measured.
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::assigning_clones,
    reason = "made-up figures for tests"
)]

use std::collections::BTreeMap;

use stem_bench::model::{
    Amount, Class, ClassTime, Comparison, Forecast, Latencies, Machine, Material, Note, Operation,
    Prediction, Round, Stored, StoredClass, StrategyResult, VERSION,
};

const MIB: u64 = 1 << 20;

/// A small generator of numbers (`SplitMix64`); the same everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// A factor around 1 that is at most `by` away.
    fn jitter(&mut self, by: f64) -> f64 {
        1.0 + (self.roll() * 2.0 - 1.0) * by
    }
}

struct Recipe {
    name: &'static str,
    about: &'static str,
    url: &'static str,
    /// MiB/s.
    put: f64,
    get: f64,
    /// Stored share by class, in the order of `Class`.
    shares: [f64; 7],
    /// Microseconds.
    read: f64,
    /// MiB.
    added: u64,
    memory: u64,
    /// Processor seconds for a GiB.
    cpu: f64,
}

const RAW: [f64; 7] = [1.0; 7];

const RECIPES: [Recipe; 8] = [
    Recipe {
        name: "cp",
        about: "plain copies of the files, synced",
        url: "",
        put: 1240.0,
        get: 1310.0,
        shares: RAW,
        read: 18.0,
        added: 1430,
        memory: 2,
        cpu: 0.6,
    },
    Recipe {
        name: "sharded-copy",
        about: "one file for each content, copied in",
        url: "sharded:",
        put: 845.0,
        get: 1190.0,
        shares: RAW,
        read: 24.0,
        added: 897,
        memory: 7,
        cpu: 1.1,
    },
    Recipe {
        name: "sharded-adopt",
        about: "one file for each content, moved in",
        url: "sharded:",
        put: 1890.0,
        get: 1205.0,
        shares: RAW,
        read: 24.0,
        added: 897,
        memory: 6,
        cpu: 0.9,
    },
    Recipe {
        name: "sharded-blake3",
        about: "one file for each content, named by BLAKE3",
        url: "sharded:?hash=blake3",
        put: 1120.0,
        get: 1215.0,
        shares: RAW,
        read: 25.0,
        added: 897,
        memory: 7,
        cpu: 0.5,
    },
    Recipe {
        name: "pack-raw",
        about: "packs, whole files, nothing coded",
        url: "pack:?codec=none",
        put: 790.0,
        get: 1010.0,
        shares: RAW,
        read: 31.0,
        added: 861,
        memory: 24,
        cpu: 1.3,
    },
    Recipe {
        name: "pack-zstd-3-1M",
        about: "packs, cut by content, zstd level 3",
        url: "pack:?codec=zstd&level=3&chunk=1M",
        put: 402.0,
        get: 690.0,
        shares: [0.737, 0.61, 0.74, 1.0, 0.31, 0.21, 0.55],
        read: 980.0,
        added: 166,
        memory: 61,
        cpu: 4.6,
    },
    Recipe {
        name: "pack-audio-1M",
        about: "packs, cut by content, audio coded as audio",
        url: "pack:?chunk=1M",
        put: 318.0,
        get: 560.0,
        shares: [0.408, 0.34, 0.41, 1.0, 0.31, 0.21, 0.55],
        read: 1650.0,
        added: 112,
        memory: 74,
        cpu: 6.4,
    },
    Recipe {
        name: "pack-audio-8M",
        about: "packs, cut by content in large pieces, audio coded as audio",
        url: "pack:?chunk=8M",
        put: 325.0,
        get: 572.0,
        shares: [0.405, 0.338, 0.407, 1.0, 0.31, 0.21, 0.55],
        read: 9400.0,
        added: 243,
        memory: 188,
        cpu: 6.3,
    },
];

const CLASSES: [Class; 7] = [
    Class::IntegerWav,
    Class::FloatWav,
    Class::Aiff,
    Class::CompressedAudio,
    Class::Midi,
    Class::Project,
    Class::Other,
];

/// KiB and files of each class that were measured.
const SAMPLED: [(u64, u64); 7] =
    [(1_310_720, 38), (402_500, 11), (131_072, 6), (88_300, 19), (2_100, 310), (61_000, 42), (24_800, 57)];

fn amounts(times: u64) -> BTreeMap<Class, Amount> {
    CLASSES
        .into_iter()
        .zip(SAMPLED)
        .map(|(class, (kib, files))| (class, Amount { files: files * times, bytes: (kib << 10) * times }))
        .collect()
}

/// Eight strategies, five rounds, seven classes, a second version and a forecast.
pub(crate) fn comparison() -> Comparison {
    let mut dice = Dice::new(7);
    let raw: u64 = SAMPLED.iter().map(|(kib, _)| kib << 10).sum();
    let objects: u64 = SAMPLED.iter().map(|(_, files)| files).sum();
    let strategies: Vec<StrategyResult> =
        RECIPES.iter().map(|recipe| strategy(recipe, raw, objects, &mut dice)).collect();
    let forecast = Forecast {
        whole: Amount { files: objects * 530, bytes: raw * 530 },
        read: Amount { files: 900, bytes: 3 * raw },
        strategies: strategies
            .iter()
            .filter(|one| one.name != "cp")
            .map(|one| {
                let bytes = one.stored.as_ref().unwrap().blocks * 530;
                (one.name.clone(), Prediction { bytes, low: bytes / 100 * 94, high: bytes / 100 * 107 })
            })
            .collect(),
    };
    Comparison {
        version: VERSION,
        tool: "stem 0.1.0".to_owned(),
        started: "2026-11-22T17:20:31Z".to_owned(),
        seconds: 214.6,
        machine: Machine {
            processor: "Example CPU 3000".to_owned(),
            cores: 2,
            memory: 24 << 30,
            system: "Linux 6.18".to_owned(),
            file_system: "ext4".to_owned(),
        },
        material: Material {
            directories: vec!["/studio/sessions".to_owned()],
            found: amounts(530),
            sampled: amounts(1),
            seed: 42,
        },
        second: Some(Material {
            directories: vec!["/studio/day 2".to_owned()],
            found: amounts(1),
            sampled: amounts(1),
            seed: 42,
        }),
        rounds: 5,
        strategies,
        forecast: Some(forecast),
        notes: vec![
            Note {
                kind: "unreadable".to_owned(),
                text: "2 files could not be read and were left out: permission denied".to_owned(),
            },
            Note { kind: "link".to_owned(), text: "14 symbolic links were not followed".to_owned() },
            Note {
                kind: "noise".to_owned(),
                text: "round 3 took 31 % longer than the others for all strategies: something else was busy"
                    .to_owned(),
            },
        ],
        interrupted: false,
    }
}

fn strategy(recipe: &Recipe, raw: u64, objects: u64, dice: &mut Dice) -> StrategyResult {
    let plain = recipe.name == "cp";
    let dedup = if plain { 0 } else { 96 * MIB };
    let mut codec = 0;
    let classes: BTreeMap<Class, StoredClass> = CLASSES
        .into_iter()
        .zip(SAMPLED)
        .zip(recipe.shares)
        .map(|((class, (kib, _)), share)| {
            let raw = kib << 10;
            let unique = if class == Class::IntegerWav { raw - dedup } else { raw };
            let stored = scaled(unique, share);
            codec += unique - stored;
            (class, StoredClass { raw, stored })
        })
        .collect();
    let payload: u64 = classes.values().map(|one| one.stored).sum();
    let bytes = payload + if recipe.name.starts_with("pack") { 300_000 } else { 0 };
    let rounds = (0..5)
        .map(|round| one_round(recipe, raw, objects, if round == 2 { 1.31 } else { 1.0 }, dice))
        .collect();
    StrategyResult {
        name: recipe.name.to_owned(),
        about: recipe.about.to_owned(),
        url: recipe.url.to_owned(),
        failed: None,
        rounds,
        stored: Some(Stored {
            raw,
            unique: raw - dedup,
            bytes,
            blocks: bytes + objects * if recipe.name.starts_with("pack") { 4 } else { 2100 },
            files: if recipe.name.starts_with("pack") { 6 } else { objects },
            saved_by_dedup: dedup,
            saved_by_codec: codec,
            classes,
            added_by_second: Some(recipe.added * MIB),
            after_reclaim: (!plain).then_some(bytes + recipe.added * MIB / 2),
        }),
    }
}

fn scaled(bytes: u64, share: f64) -> u64 {
    let thousandths: u64 = (0..=1000)
        .take_while(|&step| f64::from(u32::try_from(step).unwrap()) <= share * 1000.0)
        .count() as u64
        - 1;
    if thousandths == 1000 { bytes } else { bytes / 1000 * thousandths }
}

fn one_round(recipe: &Recipe, raw: u64, objects: u64, slow: f64, dice: &mut Dice) -> Round {
    let gib = raw as f64 / f64::from(1 << 30);
    let operation = |speed: f64, effort: f64, memory: u64, dice: &mut Dice| Operation {
        seconds: raw as f64 / (speed * MIB as f64) * slow * dice.jitter(0.06),
        cpu_seconds: effort * gib * dice.jitter(0.03),
        bytes: raw,
        objects,
        peak_memory: memory * MIB + (dice.roll() * 300_000.0) as u64,
    };
    let put = operation(recipe.put, recipe.cpu, recipe.memory, dice);
    let get = operation(recipe.get, recipe.cpu * 0.4, recipe.memory / 2 + 1, dice);
    let second = operation(recipe.put * 1.2, recipe.cpu, recipe.memory, dice);
    let reclaim = operation(4000.0, 0.1, 1, dice);
    let mut micros: Vec<f64> = (0..400)
        .map(|_| {
            let tail = if dice.roll() > 0.97 { 1.0 + 9.0 * dice.roll() } else { 1.0 };
            (recipe.read * (0.6 + dice.roll() * dice.roll() * 1.6) * tail * slow * 10.0).round() / 10.0
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    let plain = recipe.name == "cp";
    // Dice of its own, so that the other figures stay what they were.
    let mut own = Dice::new(put.seconds.to_bits());
    let mut classes = |speed: f64| -> BTreeMap<Class, ClassTime> {
        let one = |(class, (kib, files)): (Class, (u64, u64))| {
            let bytes = kib << 10;
            let thread_seconds =
                2.0 * bytes as f64 / (speed * MIB as f64) * slow * own.jitter(0.06) + files as f64 * 0.000_05;
            (class, ClassTime { files, bytes, thread_seconds })
        };
        CLASSES.into_iter().zip(SAMPLED).map(one).collect()
    };
    let (put_classes, get_classes) = (classes(recipe.put), classes(recipe.get));
    Round {
        put: Some(put),
        get: Some(get),
        put_classes,
        get_classes,
        cold: true,
        ranges: Some(Latencies { bytes: 64 << 10, micros }),
        stat: Some(Operation {
            seconds: 0.000_003 * objects as f64 * dice.jitter(0.1),
            objects,
            ..Operation::default()
        }),
        list: Some(Operation {
            seconds: 0.000_000_9 * objects as f64 * dice.jitter(0.1),
            objects,
            ..Operation::default()
        }),
        put_second: Some(second),
        reclaim: (!plain).then_some(reclaim),
    }
}

/// What nobody should be able to make the report stumble over: names that are markup, control characters, directions of
/// writing, very long texts; one round; a strategy that failed at once and one that failed half way; figures of zero.
pub(crate) fn hostile() -> Comparison {
    let mut comparison = comparison();
    let names = [
        "<script>alert(1)</script>",
        "\"quoted\" & 'quoted'",
        "\u{202e}gnp.exe\u{1b}[31mred\0",
        "שלום-עולם-אחסון",
        "録音スタジオの保存方法",
        "a-very-long-name-of-a-strategy-that-does-not-fit-anywhere-at-all-1M-blake3-zstd-19",
        "]]><!--",
        "cp",
    ];
    for (strategy, name) in comparison.strategies.iter_mut().zip(names) {
        strategy.name = name.to_owned();
        strategy.about = format!("</title><img src=x onerror=alert(1)> {name}");
        strategy.url = "javascript:alert(1)\"><svg onload=alert(1)>".to_owned();
        strategy.rounds.truncate(1);
    }
    comparison.strategies[1].failed =
        Some("no space left on device: </p><script>alert(2)</script>".to_owned());
    comparison.strategies[2].failed = Some("stopped\u{7}".to_owned());
    comparison.strategies[2].rounds.clear();
    comparison.strategies[2].stored = None;
    comparison.strategies[3].rounds[0].put = Some(Operation::default());
    comparison.strategies[4].stored = Some(Stored::default());
    comparison.material.directories =
        vec!["</title><script>alert(3)</script>".to_owned(), "-rf 'x'".to_owned(), "\u{202e}".to_owned()];
    comparison.machine.processor = "<b>&".to_owned();
    comparison.started = "<i>yesterday</i>".to_owned();
    comparison.tool = "stem \"><script>".to_owned();
    comparison.notes.push(Note { kind: "<u>".to_owned(), text: "x".repeat(16_000) });
    comparison
        .notes
        .push(Note { kind: "style".to_owned(), text: "</style><style>*{display:none}".to_owned() });
    comparison.interrupted = true;
    comparison
}

/// The sample with as few reads as a file in a repository should have.
pub(crate) fn small() -> Comparison {
    let mut comparison = comparison();
    for round in comparison.strategies.iter_mut().flat_map(|one| &mut one.rounds) {
        if let Some(ranges) = &mut round.ranges {
            ranges.micros = ranges.micros.iter().copied().step_by(50).collect();
        }
    }
    comparison
}

/// More strategies than anybody should compare at once.
pub(crate) fn many() -> Comparison {
    let mut comparison = comparison();
    let mut dice = Dice::new(3);
    let first = comparison.strategies.clone();
    for copy in 1..4_u32 {
        for strategy in first.iter().skip(1) {
            let mut strategy = strategy.clone();
            strategy.name = format!("{}-v{copy}", strategy.name);
            let factor = 0.7 + dice.roll() * 0.8;
            for operation in
                strategy.rounds.iter_mut().flat_map(|round| [&mut round.put, &mut round.get]).flatten()
            {
                operation.seconds *= factor;
            }
            if let Some(stored) = &mut strategy.stored {
                stored.blocks = stored.blocks / 100 * u64::from(80 + copy * 7);
            }
            comparison.strategies.push(strategy);
        }
    }
    comparison
}
