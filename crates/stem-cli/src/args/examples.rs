//! The examples below each `--help`.

/// Two or more lines, each a command and what it is for.
macro_rules! examples {
    ($($name:ident: $($line:literal)+;)+) => {
        $(pub(super) const $name: &str = concat!("Examples:", $("\n  ", $line),+);)+
    };
}

examples! {
    STEM:
        "stem demo                          see the whole job on a generated session"
        "stem init                          make this directory a repository"
        "stem stash -m \"chorus WIP\"         put unfinished work on the shelf"
        "stem stash pop                     bring it back";
    INIT:
        "stem init                          make the current directory a repository"
        "stem init ~/sessions/album         make another one";
    STATUS:
        "stem status                        what changed since the last snapshot"
        "stem status --json | jq .changes   the same for a program";
    SNAPSHOT:
        "stem snapshot -m \"mix 3\"           record the working tree as HEAD"
        "stem snapshot --author \"A. Band\"   with the name of who made it";
    STASH:
        "stem stash -m \"chorus WIP\"         save everything and go back to HEAD"
        "stem stash list                    what lies on the shelf"
        "stem stash pop                     bring the newest entry back";
    PUSH:
        "stem stash push -m \"chorus WIP\"    save everything and go back to HEAD"
        "stem stash push --track drums      save tracks/drums/ only"
        "stem stash push mix.wav midi       save one file and one directory only"
        "stem stash push --keep             save, but go on working";
    LIST:
        "stem stash list                    the entries, newest first"
        "stem stash list --json             with all paths and object ids";
    SHOW:
        "stem stash show                    the files of the newest entry"
        "stem stash show 2                  those of stash@{2}";
    APPLY:
        "stem stash apply                   bring the newest entry back and keep it"
        "stem stash apply 1 --verify        check every byte on the way"
        "stem stash apply 0 tracks/drums    bring a part of it back"
        "stem stash apply -n                see what would be done";
    POP:
        "stem stash pop                     bring the newest entry back"
        "stem stash pop stash@{1}           bring the one before it back"
        "stem stash pop --on-conflict keep-both";
    DROP:
        "stem stash drop                    drop the newest entry"
        "stem stash drop stash-2026-11-22   drop the one whose id begins so";
    CLEAR:
        "stem stash clear                   drop all entries, after a question"
        "stem stash clear -y                without a question";
    EXPORT:
        "stem stash export 0 chorus.stem    the newest entry, for a collaborator"
        "stem stash export 0 chorus.stem --have theirs.txt"
        "stem stash export 1 - | ssh studio stem -C album stash import -";
    IMPORT:
        "stem stash import chorus.stem      check it and put it on the stack"
        "stem stash import -n chorus.stem   check it only";
    UNDO:
        "stem stash undo                    revert the last command of the stash"
        "stem stash undo --redo             do it once more"
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
        "stem verify                        check everything that is kept"
        "stem verify --repair               put damage aside and heal it from other copies"
        "stem verify --resume               go on after Ctrl-C"
        "stem verify --store sharded:/mnt/nas/objects";
    COPY:
        "stem copy . sharded:/mnt/nas/objects        all objects of this repository, for safety"
        "stem copy . ../album --stash 0              the newest entry into another repository"
        "stem copy -n . pack:/mnt/nas/packs          what would have to be sent?";
    GC:
        "stem gc --dry-run                  what is not needed, and what would go now"
        "stem gc                            note what is not needed; remove what is so for 14 days"
        "stem gc --expire-undo 1d           free more: give up undoing what is older than a day";
    PACK:
        "stem pack                          pack what neither the stash nor a branch's head names"
        "stem pack --all                    pack everything; Muse reads no packs"
        "stem pack --older-than 14d         only what has been there for two weeks";
    UNPACK:
        "stem unpack                        make everything loose again"
        "stem unpack 3bfc2695               one object, by the beginning of its id";
    BENCH:
        "stem bench ~/sessions                        compare the usual strategies on a sample"
        "stem bench ~/sessions --predict              what would everything take? within a minute"
        "stem bench monday --against tuesday --all    what does the next version add?"
        "stem bench ~/sessions --strategies sharded,pack-audio --save a.json --html a.html";
    DEMO:
        "stem demo                          with a session of 1 GiB"
        "stem demo --size 64M --keep        a small one, to look at afterwards"
        "stem demo --store pack:            with all objects in packs";
    COMPLETIONS:
        "stem completions bash > ~/.local/share/bash-completion/completions/stem"
        "stem completions fish > ~/.config/fish/completions/stem.fish";
    MAN:
        "stem man | man -l -                read the manual page"
        "stem man --dir /usr/local/share/man/man1";
}
