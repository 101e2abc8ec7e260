#!/bin/sh
# A plugin of Wallcast: it is started with a trigger, one line of JSON, as its
# standard input; each line of JSON that it prints is an event. What it writes to
# standard error is its log, and an exit code other than 0 is tried again.
#
#   echo hi | wallcast try NAME           run it once, storing nothing
#   wallcast trust NAME                   let it run, after each change
#   curl localhost:8080/hooks/NAME -d hi  run it
#   wallcast plugin logs NAME             see what it says

read -r trigger || [ -n "$trigger" ]

# string FIELD prints a text of the trigger as it stands in the JSON, so that it
# can be put into JSON again.
string() {
    printf '%s\n' "$trigger" | sed -n -E 's/.*"'"$1"'":[ ]*"(([^"\\]|\\.)*)".*/\1/p'
}

text=$(string body) # of the request
printf '{"data":{"title":"NAME","text":"%s"}}\n' "${text:-nothing was sent}"
