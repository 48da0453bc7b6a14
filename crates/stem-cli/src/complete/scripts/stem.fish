# Completions of stem for fish. They ask stem itself, which knows the repository, and evaluate nothing of its answer.
function __stem_complete
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l current (string unescape -- "$typed" 2>/dev/null)
    or set current (string trim --left --chars "'\"" -- "$typed")
    set -l answer (command stem __complete fish $before[2..-1] "$current" 2>/dev/null | string split0)
    switch "$answer[1]"
        case files
            __fish_complete_path "$typed"
        case dirs
            __fish_complete_directories "$typed" ''
        case offer
            set -l offered $answer[2..-1]
            test (count $offered) -gt 0; and printf '%s\n' $offered
    end
end
complete --command stem --erase
complete --command stem --no-files --keep-order --arguments '(__stem_complete)'
