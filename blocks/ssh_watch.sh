# Runs on the far side of an SSH connection and sees to it that the command does not outlive the connection.
# A server ends nothing when a connection without a terminal breaks, and may not notice for hours that it broke.
# So standard input is a lifeline: first the variables, a blank line, then a beat (a line) every few seconds.
# End of file, or silence, ends the command: SIGTERM to its process group, a grace period, SIGKILL.
# Arguments: mark, seconds of grace, seconds of silence, folder, command... Exit codes 41-44 before the mark.
mark=$1 grace=$2 silence=$3 folder=$4
shift 4
while IFS= read -r pair && [ -n "$pair" ]; do
    export "$pair"
done
command -v setsid >/dev/null && command -v timeout >/dev/null || exit 44
cd -- "$folder" 2>/dev/null || exit 43
case $1 in
*/*)
    [ -e "$1" ] || exit 41
    { [ -f "$1" ] && [ -x "$1" ]; } || exit 42
    ;;
*) command -v "$1" >/dev/null || exit 41 ;;
esac
printf '%s\n' "$mark"
exec 3<&0 </dev/null
setsid "$@" 2>&1 3<&- &
leader=$!

gone_within() {
    turns=$(($1 * 10))
    while kill -s 0 -- "-$leader" 2>/dev/null; do
        [ "$turns" -gt 0 ] || return 1
        turns=$((turns - 1))
        sleep 0.1
    done
}
end_group() {
    kill -s TERM -- "-$leader" 2>/dev/null
    gone_within "$grace" || kill -s KILL -- "-$leader" 2>/dev/null
}

(
    exec >/dev/null 2>&1
    while timeout "$silence" sh -c 'read -r beat' <&3; do :; done
    end_group
) &
watcher=$!
exec 3<&-
wait "$leader"
code=$?
kill "$watcher" 2>/dev/null
# What left for a session of its own stays; it may be on its way there, hence the second.
gone_within 1 || end_group
exit "$code"
