//! `stem gc --store`.

use crate::args::GcArgs;
use crate::failure::Result;
use crate::report::Report;
use crate::ui::Ui;

#[cfg(not(feature = "remote"))]
pub(super) fn gc(_args: &GcArgs, _ui: &Ui) -> Result<Report> {
    Err(crate::failure::Failure::usage("this program was built without remote stores (the feature 'remote')"))
}

#[cfg(feature = "remote")]
pub(super) use bucket::{gc, json, notes, text};

#[cfg(feature = "remote")]
mod bucket {
    use stemvault::format::stamp::Stamp;
    use stemvault::{
        ClientNeeds, CollectOptions, Collected, StoreUrl, Tally, Timestamp, bucket_clients, collect_bucket,
        hide_passwords,
    };

    use super::{GcArgs, Report, Result, Ui};
    use crate::failure::{Engine as _, Failure};
    use crate::human;
    use crate::json::Json;
    use crate::report::{DIM, GOOD, NAME};

    pub(crate) fn gc(args: &GcArgs, ui: &Ui) -> Result<Report> {
        let url: StoreUrl = args.store.as_deref().unwrap_or_default().parse().told()?;
        let name = hide_passwords(&url.to_string());
        let forget = match &args.forget {
            None => None,
            Some(prefix) => Some(chosen(&url, prefix, args, ui)?),
        };
        let options = CollectOptions { dry_run: args.dry_run, forget, even_if_nothing_is_needed: args.yes };
        let mut result = collect_bucket(&url, &options, &ui.bars()).told()?;
        if result.held.packs > 0 && !args.dry_run {
            let question = format!(
                "Nobody says that they need anything of '{name}': remove {} ({})?",
                packs(result.held),
                human::size(result.held.bytes)
            );
            if ui.confirm(&question) == Some(true) {
                // What was to be forgotten is.
                let options = CollectOptions { forget: None, even_if_nothing_is_needed: true, ..options };
                let first = result;
                result = collect_bucket(&url, &options, &ui.bars()).told()?;
                (result.forgotten, result.newly) = (first.forgotten, first.newly);
            }
        }
        Ok(tell(&result, &name, args, ui))
    }

    /// The client whose id begins so, if the user means it.
    fn chosen(url: &StoreUrl, prefix: &str, args: &GcArgs, ui: &Ui) -> Result<String> {
        let clients = bucket_clients(url).told()?;
        let mut fitting = clients.iter().filter(|client| client.client.starts_with(prefix));
        let client = match (fitting.next(), fitting.next()) {
            (Some(client), None) => client,
            (None, _) => {
                let message = format!("there is no client '{prefix}' there: -v lists them");
                return Err(Failure::user("invalid_input", message));
            }
            (Some(_), Some(_)) => {
                let message = format!("several clients begin with '{prefix}': give more of the id");
                return Err(Failure::user("invalid_input", message));
            }
        };
        if args.yes || args.dry_run {
            return Ok(client.client.clone());
        }
        let meaning = "what it alone needs goes a week after it was condemned, though it may be in use there";
        let question = format!("Forget {}? Then {meaning}.", describe(client));
        let message = match ui.confirm(&question) {
            Some(true) => return Ok(client.client.clone()),
            Some(false) => "nothing was changed".to_owned(),
            None => format!("this would forget {}; {meaning}: say so with --yes", describe(client)),
        };
        Err(Failure::user("refused", message))
    }

    fn describe(client: &ClientNeeds) -> String {
        format!(
            "client {} ({}, {}, last change {})",
            client.client,
            human::count(client.lists, "list", "lists"),
            human::count(client.ids, "id", "ids"),
            minute(client.changed)
        )
    }

    fn packs(tally: Tally) -> String {
        human::count(tally.packs, "pack", "packs")
    }

    fn stamp(time: Timestamp) -> Option<Stamp> {
        let micros = time.secs.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos / 1000))?;
        Stamp::from_micros(micros).ok()
    }

    fn minute(time: Timestamp) -> String {
        stamp(time).map_or_else(|| "at no time".to_owned(), human::minute)
    }

    fn tell(result: &Collected, name: &str, args: &GcArgs, ui: &Ui) -> Report {
        let mut report = Report::new(ui, || json(result, name), |report| text(result, name, ui, report));
        notes(result, args.dry_run, &mut report);
        report
    }

    /// What people should know beside the answer.
    pub(crate) fn notes(result: &Collected, dry_run: bool, report: &mut Report) {
        if result.absent > 0 {
            let objects = human::count(result.absent, "needed object is", "needed objects are");
            let some: Vec<String> = result.some_absent.iter().map(ToString::to_string).collect();
            report.note(format!("{objects} nowhere in the store, for example {}", some.join(", ")));
        }
        if result.absent_chunks > 0 {
            let chunks = human::count(result.absent_chunks, "chunk", "chunks");
            report.note(format!("{chunks} of needed objects are nowhere in the store; `stem verify --store` names these objects"));
        }
        for pack in &result.unreadable {
            report.problem(format!(
                "pack {pack} cannot be read, and stays; `stem verify --store` says what is wrong with it"
            ));
        }
        if result.held.packs > 0 {
            let why = "nobody says that they need anything of this store. Programs of the time before this was asked for do not say so; \
                       if nobody does need anything, say --yes";
            let held =
                format!("{} ({}) could go and stay", packs(result.held), human::size(result.held.bytes));
            if dry_run {
                report.note(format!("{held}: {why}"));
            } else {
                report.problem(format!("{held}: {why}"));
            }
        }
    }

    /// For people.
    pub(crate) fn text(result: &Collected, name: &str, ui: &Ui, report: &mut Report) {
        if !result.exists {
            report.line(format_args!("Nothing was ever stored in '{name}'."));
            return;
        }
        if ui.verbose() {
            for client in &result.clients {
                report.line(format_args!(
                    "{NAME}{}{NAME:#}  {:>9}  {:>14}  {DIM}last change {}{DIM:#}",
                    client.client,
                    human::count(client.lists, "list", "lists"),
                    human::count(client.ids, "id", "ids"),
                    minute(client.changed),
                ));
            }
        }
        let (would, verb) =
            if result.dry_run { ("Would remove", "Would condemn") } else { ("Removed", "Condemned") };
        if result.forgotten > 0 {
            let lists = human::count(result.forgotten, "list", "lists");
            let verb = if result.dry_run { "would be removed" } else { "removed" };
            report.line(format_args!("{lists} of the client that is forgotten {verb}."));
        }
        report.line(format_args!(
            "{} ({}) in '{name}'; {} ({}) with something that is needed, by {} and {}.",
            packs(result.present),
            human::size(result.present.bytes),
            result.needed.packs,
            human::size(result.needed.bytes),
            human::count(result.clients.len(), "client", "clients"),
            human::count(result.entries, "entry", "entries"),
        ));
        report.line(format_args!(
            "{would} {} ({}).",
            packs(result.removed),
            human::size(result.removed.bytes)
        ));
        if result.newly.packs > 0 {
            report.line(format_args!(
                "{verb} {} ({}).",
                packs(result.newly),
                human::size(result.newly.bytes)
            ));
        }
        if result.condemned.packs > 0 {
            let next = result.next.map(|next| format!("; the first may go on {}", minute(next)));
            report.line(format_args!(
                "{} ({}) condemned and not needed{}.",
                packs(result.condemned),
                human::size(result.condemned.bytes),
                next.unwrap_or_default(),
            ));
        } else if result.removed.packs == 0 && result.newly.packs == 0 {
            report.line(format_args!("{GOOD}Everything that is there is needed.{GOOD:#}"));
        }
        if result.spared.packs > 0 {
            report.line(format_args!("{} condemned and needed again: kept.", packs(result.spared)));
        }
    }

    /// For programs.
    pub(crate) fn json(result: &Collected, name: &str) -> Json {
        let tally =
            |tally: Tally| Json::object([("packs", tally.packs.into()), ("bytes", tally.bytes.into())]);
        let time = |time: Option<Timestamp>| Json::from(time.and_then(stamp).map(Json::display));
        let clients = result.clients.iter().map(|client| {
            Json::object([
                ("client", (&client.client).into()),
                ("lists", client.lists.into()),
                ("ids", client.ids.into()),
                ("changed", time(Some(client.changed))),
            ])
        });
        Json::object([
            ("store", name.into()),
            ("dry_run", result.dry_run.into()),
            ("exists", result.exists.into()),
            ("present", tally(result.present)),
            ("needed", tally(result.needed)),
            ("needed_objects", result.objects.into()),
            ("newly_condemned", tally(result.newly)),
            ("condemned", tally(result.condemned)),
            ("spared", tally(result.spared)),
            ("removed", tally(result.removed)),
            ("held", tally(result.held)),
            ("next", time(result.next)),
            ("absent_objects", result.absent.into()),
            ("some_absent", Json::list(&result.some_absent)),
            ("absent_chunks", result.absent_chunks.into()),
            ("unreadable_packs", Json::list(result.unreadable.iter().map(Json::display))),
            ("entries", result.entries.into()),
            ("clients", Json::list(clients)),
            ("forgotten_lists", result.forgotten.into()),
            ("leftovers", result.leftovers.into()),
        ])
    }
}
