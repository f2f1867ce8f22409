# Shows items to people.

# Reads "<id> <open|done> <text>" lines, writes "[ ] 1  text" lines.
format_items() {
    while read -r id state text; do
        case $state in
            done) box='[x]' ;;
            *) box='[ ]' ;;
        esac
        printf '%s %s  %s\n' "$box" "$id" "$text"
    done
}

# Reads the same lines, writes how many are done.
format_summary() {
    all=0
    finished=0
    while read -r _ state _; do
        all=$((all + 1))
        [ "$state" != done ] || finished=$((finished + 1))
    done
    echo "$finished of $all done"
}
