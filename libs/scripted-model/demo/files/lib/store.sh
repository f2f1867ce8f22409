# Keeps the items, one a line: "<id> <open|done> <text>".

store_file() {
    printf '%s\n' "${TODO_FILE:-todo.txt}"
}

store_next_id() {
    file=$(store_file)
    if [ -s "$file" ]; then
        last=$(tail -n 1 "$file")
        echo $((${last%% *} + 1))
    else
        echo 1
    fi
}

store_add() {
    id=$(store_next_id)
    printf '%s open %s\n' "$id" "$*" >>"$(store_file)"
    echo "$id"
}

store_items() {
    file=$(store_file)
    [ ! -f "$file" ] || cat "$file"
}

# Marks an item as done. Fails if there is no item of this id.
store_done() {
    file=$(store_file)
    grep -q "^$1 " "$file" 2>/dev/null || return 1
    sed "s/^$1 open /$1 done /" "$file" >"$file.new" && mv "$file.new" "$file"
}
