//! `stem stash`.

mod apply;
pub(super) mod diff;
mod drop;
mod exchange;
mod list;
mod planned;
mod push;
mod reference;
mod remote;
pub(super) mod show;
mod undo;

use stemvault::format::text::PyStr;

use super::Place;
use crate::args::{DatabaseArgs, PushOptions, StashArgs, StashCommand};
use crate::failure::{Failure, Result};
use crate::report::Report;
use crate::ui::Ui;

pub(super) fn run(place: &Place, args: StashArgs, ui: &Ui) -> Result<Report> {
    perform(place, args, ui).map_err(|failure| reference::explain(failure, place))
}

fn perform(place: &Place, args: StashArgs, ui: &Ui) -> Result<Report> {
    let StashArgs { command, options, paths } = args;
    let Some(command) = command else {
        let vault = place.open_writing_to(options.store.as_ref(), &options.database)?;
        return push::push(&vault, options, &paths, ui);
    };
    if options != PushOptions::default() || !paths.is_empty() {
        return Err(Failure::usage("options of push stand after the word push: `stem stash push -m TEXT`"));
    }
    match command {
        StashCommand::Push(args) => {
            let vault = place.open_writing_to(args.options.store.as_ref(), &args.options.database)?;
            push::push(&vault, args.options, &args.paths, ui)
        }
        StashCommand::List(args) => match args.remote {
            Some(text) => remote::list(&remote::Remote::choose(&text, || place.open())?, ui),
            None => list::list(&place.open()?, ui),
        },
        StashCommand::Show(args) => show::show(&place.open_with(&args.database)?, &args, ui),
        StashCommand::Diff(args) => diff::diff(&place.open_with(&args.database)?, &args, ui),
        StashCommand::Apply(args) => {
            apply::apply(&place.open_with(&args.args.database)?, &args.args, Some(&args.paths), ui)
        }
        StashCommand::Pop(args) => apply::apply(&place.open_with(&args.database)?, &args, None, ui),
        StashCommand::Drop(args) => match args.remote {
            Some(text) => remote::drop_entry(place, &text, args.reference.as_deref(), args.yes, ui),
            None => drop::drop_entry(&place.open()?, args.reference.as_deref().unwrap_or("0"), ui),
        },
        StashCommand::Clear { yes } => drop::clear(&place.open()?, yes, ui),
        StashCommand::Export(args) => exchange::export(&place.open()?, &args, ui),
        StashCommand::Import(args) => {
            let vault = place.open_writing_to(args.store.as_ref(), &DatabaseArgs::default())?;
            exchange::import(&vault, &args, ui)
        }
        StashCommand::Fetch(args) => {
            let vault = place.open_writing_to(args.store.as_ref(), &DatabaseArgs::default())?;
            remote::fetch(&vault, &args, ui)
        }
        StashCommand::Undo(args) => undo::undo(&place.open()?, &args, ui),
    }
}

/// `track drums, section chorus`, or nothing.
fn scope_words(track: Option<&PyStr>, section: Option<&PyStr>) -> String {
    let named = |what: &str, name: Option<&PyStr>| {
        name.filter(|name| !name.is_empty()).map(|name| format!("{what} {name}"))
    };
    let words: Vec<String> =
        [named("track", track), named("section", section)].into_iter().flatten().collect();
    words.join(", ")
}
