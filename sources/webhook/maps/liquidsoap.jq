# Liquidsoap: what is on air, as kind song. In the script, with the setting
#   webhook: {verify: bearer, secret: ${RADIO_SECRET}}
#
#   def now_playing(m) =
#     thread.run(fun () -> ignore(http.post(
#       headers=[("Content-Type", "application/json"), ("Authorization", "Bearer SECRET")],
#       data=json.stringify(m), "https://wall.example.com/hooks/NAME")))
#   end
#   radio.on_metadata(now_playing)      # before 2.4: radio = source.on_metadata(radio, now_playing)
#
# Metadata come as an object or as a list of pairs. Bytes that are no UTF-8, as
# of Latin-1 tags, are read as Windows-1252. File names are left out. What has
# neither a title nor an artist makes no event.
#
# The station is the key of to, as in wall.main.song.jazz. A delay, rules for
# jingles, and a history without doubles has the source nowplaying.

def clean: if . == null then null else tostring | gsub("\\s+"; " ") | sub("^ "; "") | sub(" $"; "") end;
def known: with_entries(select(.value != null and .value != ""));
def number: if . == null then null else (tonumber? // null) | if . != null and . > 0 then floor else null end end;

(if type == "array" then map({key: .[0], value: .[1]}) | from_entries else . end)
| (.artist | clean) as $artist
| (.title | clean) as $title
| if ($title // "") == "" and ($artist // "") == "" then empty
  else {kind: "song", data: ({state: "playing", type: "song",
      text: ([$artist, $title] | map(select(. != null and . != "")) | join(" - ")),
      artist: $artist, title: $title, album: (.album | clean), genre: (.genre | clean),
      duration: (.duration | number), started_at: (.on_air_timestamp | number | if . == null then null else todate end)} | known)}
  end
