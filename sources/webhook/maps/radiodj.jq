# RadioDJ: what is on air, as kind song. In Options, Plugins, Now Playing Info,
# Web Export, with the setting
#   webhook: {verify: url, secret: ${RADIO_SECRET}}
#
#   address   https://wall.example.com/hooks/NAME?token=SECRET
#   data      artist=$artist$&title=$title$&album=$album$&seconds=$durationinSeconds$&type=$track-type$
#
# Of the track types, music alone makes events; take the select line out for
# the others, as jingles and news, too.
#
# The station is the key of to, as in wall.main.song.jazz. A delay, rules for
# jingles, and a history without doubles has the source nowplaying.

def clean: if . == null then null else tostring | gsub("\\s+"; " ") | sub("^ "; "") | sub(" $"; "") end;
def known: with_entries(select(.value != null and .value != ""));
def number: if . == null then null else (tonumber? // null) | if . != null and . > 0 then floor else null end end;

select((.type // "") | ascii_downcase | . == "" or . == "0" or . == "music")
| (.artist | clean) as $artist
| (.title | clean) as $title
| if ($title // "") == "" and ($artist // "") == "" then empty
  else {kind: "song", data: ({state: "playing", type: "song",
      text: ([$artist, $title] | map(select(. != null and . != "")) | join(" - ")),
      artist: $artist, title: $title, album: (.album | clean), duration: (.seconds | number)} | known)}
  end
