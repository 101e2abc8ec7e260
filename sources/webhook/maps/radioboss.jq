# RadioBOSS: what is on air, as kind song. In the settings for what is reported
# of the track that plays, give this address to be called, with the setting
#   webhook: {verify: url, secret: ${RADIO_SECRET}}
#
#   https://wall.example.com/hooks/NAME?token=SECRET&artist=%artist%&title=%title%&casttitle=%casttitle%&seconds=%seconds%
#
# Where a track has no artist and title of its own, casttitle is split at its
# first " - ".
#
# The station is the key of to, as in wall.main.song.jazz. A delay, rules for
# jingles, and a history without doubles has the source nowplaying.

def clean: if . == null then null else tostring | gsub("\\s+"; " ") | sub("^ "; "") | sub(" $"; "") end;
def known: with_entries(select(.value != null and .value != ""));
def number: if . == null then null else (tonumber? // null) | if . != null and . > 0 then floor else null end end;

(.casttitle | clean // "") as $cast
| (if ((.artist | clean) // "") != "" or ((.title | clean) // "") != "" then {artist: (.artist | clean), title: (.title | clean)}
   elif $cast | contains(" - ") then ($cast | index(" - ")) as $at | {artist: $cast[:$at], title: $cast[$at + 3:]}
   else {title: $cast} end) as $song
| if (($song.title // "") + ($song.artist // "")) == "" then empty
  else {kind: "song", data: ({state: "playing", type: "song",
      text: ([$song.artist, $song.title] | map(select(. != null and . != "")) | join(" - ")),
      artist: $song.artist, title: $song.title, album: (.album | clean), duration: (.seconds | number)} | known)}
  end
