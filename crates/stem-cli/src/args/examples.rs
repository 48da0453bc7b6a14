//! The examples below each `--help`.

/// Two lines, each a command and what it is for.
macro_rules! examples {
    ($($name:ident: $($line:literal)+;)+) => {
        $(pub(super) const $name: &str = concat!("Examples:", $("\n  ", $line),+);)+
    };
}

examples! {
    STEM:
        "stem demo                          see the whole job on a generated session"
        "stem stash -m \"chorus WIP\"         put unfinished work on the shelf";
    INIT:
        "stem init                          make the current directory a repository"
        "stem init ~/sessions/album         make another one";
    STATUS:
        "stem status -v                     what changed since HEAD, and how"
        "stem status --json | jq .changes   the same for a program";
    SNAPSHOT:
        "stem snapshot -m \"mix 3\"           record the working tree as HEAD"
        "stem snapshot --author \"A. Band\"   with the name of who made it";
    STASH:
        "stem stash -m \"chorus WIP\"         save everything and go back to HEAD"
        "stem stash pop                     bring the newest entry back";
    PUSH:
        "stem stash push --track drums mix.wav  save tracks/drums/ and one file only"
        "stem stash push --to studio -m \"WIP\"  save it, and send it to a remote";
    LIST:
        "stem stash list                    the entries, newest first"
        "stem stash list --remote studio    those that machines sent there";
    SHOW:
        "stem stash show 2 --waveform       the files of stash@{2}, with pictures"
        "stem stash show --html wip.html    a page to look at, listen to and mail";
    DIFF:
        "stem stash diff 0 tracks/drums     what lies otherwise in the working tree now"
        "stem stash diff --head --waveform  what the entry changed, with pictures";
    APPLY:
        "stem stash apply 1 --dry-run       see what would be done"
        "stem stash apply 0 tracks/drums    bring back a part of it";
    POP:
        "stem stash pop                     bring the newest entry back"
        "stem stash pop stash@{1} --on-conflict keep-both";
    DROP:
        "stem stash drop stash-2026-11-22   drop the one whose id begins so"
        "stem stash drop 3 --remote studio  remove an entry from a remote";
    CLEAR:
        "stem stash clear                   drop all entries"
        "stem stash undo                    take that back";
    EXPORT:
        "stem stash export 0 chorus.stem    the newest entry, for a collaborator"
        "stem stash export 1 - | ssh studio stem -C album stash import -";
    IMPORT:
        "stem stash import chorus.stem      check it and put it on the stack"
        "stem stash import -n chorus.stem   check it only";
    FETCH:
        "stem stash fetch studio@{0}        the newest entry of the remote studio"
        "stem stash fetch 2 --from s3://bucket/album";
    UNDO:
        "stem stash undo                    revert the last command of the stash"
        "stem stash undo --list             what can be undone";
    OBJECT:
        "stem object put kick.wav           store a file and print its id"
        "stem object get ID -o kick.wav     write an object into a file";
    OBJECT_PUT:
        "stem object put kick.wav           store a file and print its id"
        "stem object put - < kick.wav       the same from standard input";
    OBJECT_GET:
        "stem object get 3bfc2695 -o a.wav  write an object into a file"
        "stem object get ID | sox -t wav -  hand it to another program";
    OBJECT_HAS:
        "stem object has ID                 is it there?"
        "stem object has -q ID ID           by the exit code alone";
    OBJECT_LIST:
        "stem object list                   the ids of all objects"
        "stem object list --prefix 3b -v    some of them with their sizes";
    VERIFY:
        "stem verify --repair               heal damage from other copies"
        "stem verify --store sharded:/mnt/nas/objects";
    COPY:
        "stem copy . sharded:/mnt/nas/album  all objects of this repository, for safety"
        "stem copy . ../album --stash 0      the newest entry into another repository";
    GC:
        "stem gc --dry-run                  what is not needed, and what would go now"
        "stem gc --store s3://studio/alpha  what nobody needs of a store in a bucket";
    PACK:
        "stem pack                          pack what neither stash nor head names"
        "stem pack --all --older-than 14d   pack all that is two weeks old";
    UNPACK:
        "stem unpack                        make everything loose again"
        "stem unpack 3bfc2695               one object, by the beginning of its id";
    BENCH:
        "stem bench ~/sessions --predict    what each strategy would take"
        "stem bench ~/sessions --strategies sharded,pack-audio --html a.html";
    DEMO:
        "stem demo --size 64M               with a small session"
        "stem demo --keep --store pack:     with packs, and to look at afterwards";
    COMPLETIONS:
        "stem completions bash > ~/.local/share/bash-completion/completions/stem"
        "stem completions fish > ~/.config/fish/completions/stem.fish";
    MAN:
        "stem man | man -l -                read the manual page"
        "stem man --dir /usr/local/share/man/man1";
}
