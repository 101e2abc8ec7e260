#!/bin/sh
# A card that counts down to a day. Copy this file to the plugins folder as
# countdown.sh, run "wallcast trust countdown", and add to wallcast.yaml:
#
#   sources:
#     countdown:
#       plugin: {every: 1m, config: {until: "2027-01-01", title: "New Year"}}
#       to: wall.main.countdown
#
# It needs nothing but sed and date. until is a day, or a day and a time as in
# "2027-01-01 18:00", in the time zone that TZ names.

read -r trigger || [ -n "$trigger" ]

# string NAME prints the string of that name as it stands in the JSON, so that it
# can be put into JSON again.
string() {
    printf '%s\n' "$trigger" | sed -n -E 's/.*"'"$1"'":[ ]*"(([^"\\]|\\.)*)".*/\1/p'
}

until=$(string until)
if [ -z "$until" ]; then
    echo 'config needs the day, as in {until: "2027-01-01"}' >&2
    exit 1
fi
case $until in
*' '*) moment=$until ;;
*) moment="$until 00:00" ;;
esac
# GNU and busybox know -d, BSD and macOS -j.
if ! end=$(date -d "$moment" +%s 2>/dev/null) && ! end=$(date -j -f '%Y-%m-%d %H:%M' "$moment" +%s 2>/dev/null); then
    printf 'until is "%s", which is no day such as 2027-01-01\n' "$until" >&2
    exit 1
fi

left=$((end - $(date +%s)))
if [ "$left" -le 0 ]; then
    text='now'
elif [ "$left" -ge 172800 ]; then
    text="$((left / 86400)) days"
elif [ "$left" -ge 7200 ]; then
    text="$((left / 3600)) hours"
else
    text="$(((left + 59) / 60)) minutes"
fi

# The cursor is what the card says, so that nothing is written that changes
# nothing.
[ "$(string cursor)" != "$until: $text" ] || exit 0

# All events have one key: so they are one card, of which the newest counts.
printf '{"key":"countdown","data":{"title":"%s","text":"%s"}}\n' "$(string title)" "$text"
printf '{"cursor":"%s: %s"}\n' "$until" "$text"
