use proptest::prelude::*;

use super::*;

fn ignored(patterns: &[&str], path: &str) -> bool {
    let list: Vec<String> = patterns.iter().map(|pattern| format!("'{pattern}'")).collect();
    let text = format!("[global]\npatterns = [{}]\n", list.join(", "));
    Ignore::parse(text.as_bytes(), DEFAULT_DOMAIN).unwrap().is_ignored(path.as_bytes())
}

#[test]
fn every_rule_of_a_pattern() {
    for (patterns, path, expected) in [
        // Without a slash: the file's name.
        (&["*.tmp"][..], "a.tmp", true),
        (&["*.tmp"], "tracks/drums/a.tmp", true),
        (&["tracks"], "tracks/a.wav", false),
        (&["a?.mid"], "x/ab.mid", true),
        (&["[ab].mid"], "c.mid", false),
        (&["[!ab].mid"], "c.mid", true),
        (&["[.mid"], "[.mid", true),
        (&["*.WAV"], "a.wav", false),
        // Anchored: the whole path, and `*` crosses slashes.
        (&["/tmp/*.mid"], "tmp/drums.mid", true),
        (&["/tmp/*.mid"], "cache/tmp/drums.mid", false),
        (&["/tmp/*.mid"], "tmp/deep/drums.mid", true),
        (&["/*.mid"], "deep/drums.mid", true),
        (&["/a"], "a", true),
        (&["/a"], "b/a", false),
        // A trailing slash: a directory at the root, to any depth, or the parent of that name below.
        (&["renders/"], "renders/a.wav", true),
        (&["renders/"], "renders/old/a.wav", true),
        (&["renders/"], "x/renders/a.wav", true),
        (&["renders/"], "x/renders/old/a.wav", false),
        (&["renders/"], "renders", false),
        (&["/renders/"], "renders/old/a.wav", true),
        (&["/renders/"], "x/renders/a.wav", false),
        (&["/"], "anything/at/all", true),
        // An inner slash: from the right, one component for one.
        (&["cache/*.dat"], "cache/x.dat", true),
        (&["cache/*.dat"], "a/b/cache/x.dat", true),
        (&["cache/*.dat"], "cache/a/x.dat", false),
        (&["**/cache/*.dat"], "cache/x.dat", true),
        (&["**/cache/*.dat"], "a/b/cache/x.dat", true),
        (&["a/**/b"], "a/x/b", true),
        (&["a/**/b"], "a/b", false),
        (&["a/**/b"], "a/x/y/b", false),
        (&["a//./b"], "x/a/b", true),
        // The last that matches wins.
        (&["*.tmp", "!keep.tmp"], "keep.tmp", false),
        (&["!keep.tmp", "*.tmp"], "keep.tmp", true),
        (&["*.wav", "!*.wav", "a.wav"], "a.wav", true),
        // Secrets come first.
        (&[], ".env", true),
        (&[], "x/.env.local", true),
        (&[], ".envrc", true),
        (&[], "certs/a.pem", true),
        (&[], "a.key", true),
        (&[], "a.p12", true),
        (&[], "a.pfx", true),
        (&[], "tracks/.DS_Store", true),
        (&[], "Thumbs.db", true),
        (&[], ".environment", false),
        (&["!.env"], ".env", false),
        // What says nothing.
        (&["", "!", ".", "**//x"], "x", false),
    ] {
        assert_eq!(ignored(patterns, path), expected, "{patterns:?} against {path}");
    }
}

#[test]
fn directories_that_are_never_entered() {
    let ignore = Ignore::default();
    for path in [".muse/x", "a/.git/x", "node_modules/x/y", "x/build/a.wav", ".coverage/x", "a/dist/b/c"] {
        assert!(!ignore.tracks(path.as_bytes()), "{path}");
    }
    for path in [".coverage", "build", "a/dist", "builds/x", ".museignore", ".cache/x"] {
        assert!(ignore.tracks(path.as_bytes()), "{path}");
    }
}

#[test]
fn global_comes_first_and_other_domains_do_not_count() {
    let text = b"[global]\npatterns = [\"*.bak\", 3]\nmore = 1\n\
        [domain.midi]\npatterns = [\"!keep.bak\"]\n[domain.code]\npatterns = [\"*.pyc\"]\n[other]\nx = 1\n";
    let of = |domain: &str, path: &str| Ignore::parse(text, domain).unwrap().is_ignored(path.as_bytes());
    assert!(of("midi", "a.bak") && !of("midi", "keep.bak") && !of("midi", "a.pyc"));
    assert!(of("code", "keep.bak") && of("code", "a.pyc"));
    assert!(of("none", "keep.bak") && !of("none", "a.pyc"));
    // Wrong types say nothing.
    for text in ["global = 3", "[global]\npatterns = \"x\"", "domain = []", "[domain]\ncode = 1", ""] {
        assert_eq!(Ignore::parse(text.as_bytes(), "code").unwrap(), Ignore::default(), "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_told() {
    let many = format!("[global]\npatterns = [{}]", "\"x\",".repeat(MAX_PATTERNS + 1));
    let long = format!("[global]\npatterns = [\"{}\"]", "x".repeat(MAX_PATTERN_CHARS + 1));
    let large = vec![b'\n'; MAX_IGNORE_BYTES + 1];
    for (text, says) in [
        (&b"*.tmp\nnode_modules"[..], "line 1"),
        (b"[global]\npatterns = [", "no TOML"),
        (b"\xff", "UTF-8"),
        (many.as_bytes(), "10000 patterns"),
        (long.as_bytes(), "4096 characters"),
        (&large, "bytes"),
    ] {
        let problem = Ignore::parse(text, "code").unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn many_stars_take_no_longer_than_both_lengths_allow() {
    let pattern = "*a".repeat(500);
    let path = "a".repeat(499) + &"b".repeat(3000);
    assert!(!ignored(&[&pattern], &path));
    assert!(!ignored(&[&format!("/{pattern}")], &path));
}

/// The definition, by trying everything: slow and short.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
        [c, rest @ ..] => text.first() == Some(c) && naive(rest, &text[1..]),
    }
}

/// Paths against patterns without brackets, straight from the rules in `docs/muse.md`.
fn naive_rule(pattern: &str, path: &str) -> bool {
    let glob = |pattern: &str, text: &str| {
        naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
    };
    let from_right = |pattern: &str| {
        let wanted: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let parts: Vec<&str> = path.split('/').collect();
        !pattern.starts_with('/')
            && !wanted.is_empty()
            && wanted.len() <= parts.len()
            && wanted.iter().zip(&parts[parts.len() - wanted.len()..]).all(|(w, p)| glob(w, p))
    };
    let plain = |pattern: &str| match pattern.strip_prefix('/') {
        Some(rest) => glob(rest, path),
        None => from_right(pattern) || pattern.strip_prefix("**/").is_some_and(from_right),
    };
    if pattern.ends_with('/') {
        path.starts_with(pattern) || plain(&format!("{}/**", pattern.trim_end_matches('/')))
    } else {
        plain(pattern)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn rules_follow_their_definition(
        patterns in proptest::collection::vec("[ab*?/.!]{0,7}", 0..4),
        path in "[ab.]{1,3}(/[ab.]{1,3}){0,3}",
    ) {
        let mut expected = false;
        for pattern in &patterns {
            let (negates, rest) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |rest| (true, rest));
            if naive_rule(rest, &path) {
                expected = !negates;
            }
        }
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        prop_assert_eq!(ignored(&patterns, &path), expected);
    }
}

/// Draws patterns and paths, and lets Python say what it makes of them.
#[test]
fn python_agrees() {
    const ASK: &str = "\
import fnmatch, json, pathlib, sys
def last(p, pat):
    try: return p.match(pat)
    except ValueError: return False
def one(path, pat):
    p = pathlib.PurePosixPath(path)
    if pat.startswith('/'): return fnmatch.fnmatch(path, pat[1:])
    return last(p, pat) or (pat.startswith('**/') and last(p, pat[3:]))
print(json.dumps([one(*row) for row in json.load(sys.stdin)]))
";
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut text =
        |from: &[char], most: usize| -> String { (0..=draw(most)).map(|_| from[draw(from.len())]).collect() };
    let pattern: Vec<char> = "abc-]![[]*?/^&~|\\.é".chars().collect();
    let letters: Vec<char> = "abc-!^].é\\".chars().collect();
    let mut rows = Vec::new();
    for _ in 0..60_000 {
        let path = [text(&letters, 2), text(&letters, 2)].join("/");
        // Python takes such components out of a path before it matches.
        if !path.split('/').any(|part| part == ".") {
            rows.push((path, text(&pattern, 9)));
        }
    }
    rows.retain(|(_, pattern)| !pattern.ends_with('/'));
    let python =
        Command::new("python3").args(["-c", ASK]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3 to compare with");
        return;
    };
    let asked = serde_json::to_vec(&rows).unwrap();
    python.stdin.take().unwrap().write_all(&asked).unwrap();
    let answer = python.wait_with_output().unwrap();
    let answers: Vec<bool> = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answers.len(), rows.len());
    let mut hits = 0;
    for ((path, pattern), expected) in rows.iter().zip(answers) {
        let rule = Rule { negates: false, prefix: None, any: matchers(pattern) };
        let whole: Vec<u32> = path.chars().map(u32::from).collect();
        let parts: Vec<&[u32]> = whole.split(|&c| c == u32::from('/')).collect();
        assert_eq!(rule.matches(&whole, &parts), expected, "{pattern:?} against {path:?}");
        hits += usize::from(expected);
    }
    assert!(hits > 300, "only {hits} of the drawn patterns match");
}
