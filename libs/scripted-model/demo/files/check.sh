#!/bin/sh
# Uses the list as a person would. Exits 0 if it behaves.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
TODO_FILE=$(mktemp)
export TODO_FILE
trap 'rm -f "$TODO_FILE"' EXIT

todo() {
    sh "$here/todo.sh" "$@"
}

expect() {
    if [ "$1" = "$2" ]; then
        echo "ok: $3"
    else
        echo "not ok: $3: got '$1', not '$2'"
        exit 1
    fi
}

expect "$(todo list)" "" "an empty list shows nothing"
expect "$(todo add buy milk)" "added 1" "the first item has the id 1"
expect "$(todo add water the plants)" "added 2" "ids count up"
expect "$(todo done 1)" "done 1" "an item can be finished"
expect "$(todo list)" "[x] 1  buy milk
[ ] 2  water the plants" "the list shows what is done"
expect "$(todo summary)" "1 of 2 done" "the summary counts"
if todo done 7 2>/dev/null; then
    echo "not ok: finishing an unknown item succeeded"
    exit 1
fi
echo "ok: an unknown item is refused"
