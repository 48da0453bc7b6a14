//! The commands: each calls the engine and makes a report of what it answers.

mod bare;
mod bench;
mod copy;
mod demo;
mod gc;
mod gc_store;
mod manual;
mod object;
mod pack;
mod repository;
mod shell;
mod stash;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use stemvault::{DatabaseOrigin, SecretText, StoreUrl, Vault};

use crate::args::{Cli, Command, DatabaseArgs};
use crate::failure::{Engine as _, Failure, Result, exit};
use crate::report::Report;
use crate::ui::Ui;

/// Where Muse's own tools expect to be told of the repository.
const ROOT_VARIABLE: &str = "MUSE_REPO_ROOT";
/// Where Muse, and many other programs, are told of their database.
const DATABASE_VARIABLE: &str = "DATABASE_URL";

/// Runs what the arguments ask for.
pub(crate) fn run(cli: Cli, ui: &Ui) -> Result<Report> {
    // Files are adopted in batches as large as this allows.
    stemvault::raise_open_file_limit();
    let place = Place { named: cli.global.repo, variable: std::env::var_os(ROOT_VARIABLE) };
    match cli.command {
        None => bare::run(&place, ui),
        Some(Command::Init { dir }) => repository::init(&dir, ui),
        Some(Command::Status(args)) => repository::status(&place.open_with(&args.database)?, args.view, ui),
        Some(Command::Snapshot(args)) => repository::snapshot(&place.open_with(&args.database)?, args, ui),
        Some(Command::Stash(args)) => stash::run(&place, args, ui),
        Some(Command::Object(command)) => object::run(&place, command, ui),
        Some(Command::Copy(args)) => copy::copy(&args, ui),
        Some(Command::Verify(args)) => match place.open_with(&args.database) {
            Err(failure) if failure.exit == exit::NO_REPOSITORY && args.store.is_some() => {
                verify::verify_store(&args, ui)
            }
            vault => verify::verify(&vault?, &args, ui),
        },
        Some(Command::Gc(args)) if args.store.is_some() => gc_store::gc(&args, ui),
        Some(Command::Gc(args)) => gc::gc(&place.open_with(&args.database)?, &args, ui),
        Some(Command::Pack(args)) => pack::pack(&place.open_with(&args.database)?, &args, ui),
        Some(Command::Unpack { ids }) => pack::unpack(&place.open()?, &ids, ui),
        Some(Command::Bench(args)) => bench::run(&args, ui),
        Some(Command::Demo(args)) => demo::run(&args, ui),
        Some(Command::Completions { shell }) => shell::completions(shell, ui),
        Some(Command::Man { dir }) => manual::man(dir.as_deref(), ui),
    }
}

/// The repository that `--repo` names, else the environment, else the current directory; no database is looked for.
pub(crate) fn find(named: Option<&Path>) -> Result<Vault> {
    Place { named: named.map(Path::to_path_buf), variable: std::env::var_os(ROOT_VARIABLE) }.find()
}

/// Where to look for the repository.
struct Place {
    named: Option<PathBuf>,
    variable: Option<OsString>,
}

impl Place {
    /// The repository, whose history may be in that database too.
    fn open_with(&self, database: &DatabaseArgs) -> Result<Vault> {
        use_named(self.open()?, database)
    }

    /// The same, writing objects to `store`, where one is given, instead of where the configuration says.
    fn open_writing_to(&self, store: Option<&StoreUrl>, database: &DatabaseArgs) -> Result<Vault> {
        let vault = match store {
            None => self.open()?,
            Some(store) => {
                let vault = Vault::open_writing_to(self.open()?.repository().root(), store).told()?;
                use_environment(vault)?
            }
        };
        use_named(vault, database)
    }

    /// The repository of `--repo`, else of the environment, else of the current directory; with the database that the
    /// environment names.
    fn open(&self) -> Result<Vault> {
        use_environment(self.find()?)
    }

    fn find(&self) -> Result<Vault> {
        if let Some(dir) = &self.named {
            if !dir.exists() {
                let message =
                    format!("'{}' does not exist: name a directory with --repo", crate::human::path(dir));
                return Err(Failure::user("invalid_input", message).at(dir));
            }
            return Vault::discover(dir).told();
        }
        match self.variable.as_deref().filter(|root| !root.is_empty()) {
            Some(root) => Vault::open(Path::new(root)).told(),
            None => Vault::discover(Path::new(".")).told(),
        }
    }
}

/// An empty variable counts as none, as it does for Muse.
fn use_environment(mut vault: Vault) -> Result<Vault> {
    if let Some(url) = std::env::var_os(DATABASE_VARIABLE).filter(|url| !url.is_empty()) {
        // What is not UTF-8 is no URL, which is told when it is needed.
        let url = SecretText::from(url.into_string().unwrap_or_default());
        vault.use_database(&url, DatabaseOrigin::Environment).told()?;
    }
    Ok(vault)
}

fn use_named(mut vault: Vault, database: &DatabaseArgs) -> Result<Vault> {
    if let Some(url) = &database.database_url {
        vault.use_database(url, DatabaseOrigin::Named).told()?;
    }
    Ok(vault)
}
