#compdef stem
# Completions of stem for zsh. They ask stem itself, which knows the repository, and evaluate nothing of its answer.
_stem() {
    local -a answer closed closed_shown open open_shown
    local i
    answer=("${(@0)$(command stem __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case $answer[1] in
    files) _files; return ;;
    dirs) _files -/; return ;;
    esac
    for ((i = 2; i + 2 <= $#answer; i += 3)); do
        if [[ -n $answer[i+2] ]]; then
            open+=("$answer[i]")
            open_shown+=("$answer[i+1]")
        else
            closed+=("$answer[i]")
            closed_shown+=("$answer[i+1]")
        fi
    done
    local found=1
    (( $#closed )) && compadd -V stem -l -d closed_shown -a closed && found=0
    (( $#open )) && compadd -V stem -S '' -l -d open_shown -a open && found=0
    return found
}
if [[ $funcstack[1] == _stem ]]; then
    _stem "$@"
else
    compdef _stem stem
fi
