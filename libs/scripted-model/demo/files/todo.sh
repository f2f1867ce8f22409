#!/bin/sh
# A list of things to do, kept in a text file.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/store.sh"
. "$here/lib/format.sh"

usage() {
    echo "usage: sh todo.sh add TEXT | list | done ID | summary" >&2
    exit 2
}

[ $# -gt 0 ] || usage
action=$1
shift

case $action in
    add)
        [ $# -gt 0 ] || usage
        echo "added $(store_add "$@")"
        ;;
    list)
        store_items | format_items
        ;;
    done)
        [ $# -eq 1 ] || usage
        store_done "$1" || {
            echo "no item $1" >&2
            exit 1
        }
        echo "done $1"
        ;;
    summary)
        store_items | format_summary
        ;;
    *)
        usage
        ;;
esac
