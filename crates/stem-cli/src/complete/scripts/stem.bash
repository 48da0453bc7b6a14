# Completions of stem for bash. They ask stem itself, which knows the repository, and evaluate nothing of its answer.
_stem() {
    local line kind=''
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -n $kind ]]; then
            COMPREPLY+=("$line")
            continue
        fi
        kind=$line
        case $kind in
        files) compopt -o default -o filenames 2>/dev/null ;;
        dirs) compopt -o dirnames -o filenames 2>/dev/null ;;
        open) compopt -o nospace 2>/dev/null ;;
        esac
    done < <(command stem __complete bash "${COMP_TYPE:-9}" "${COMP_LINE:0:COMP_POINT}" "${2-}" 2>/dev/null)
}
complete -o nosort -F _stem stem 2>/dev/null || complete -F _stem stem
