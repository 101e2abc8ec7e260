# AzuraCast: what is on air, as kind song. Under Web Hooks add a "Generic Web
# Hook" for the trigger "Any time the currently playing song changes", with the
# setting
#   webhook: {verify: basic, user: azuracast, secret: ${RADIO_SECRET}}
# and that user and secret as its authentication. A hook for other triggers
# makes an event, too, whenever it brings a song.
#
# The station is the key of to, as in wall.main.song.jazz. A delay, rules for
# jingles, and a history without doubles has the source nowplaying.

def known: with_entries(select(.value != null and .value != "" and .value != false));
def positive: if type == "number" and . > 0 then floor else null end;
def brief: if . == null then null else {artist: .song.artist, title: .song.title, text: .song.text} | known end;

.now_playing as $now
| if ($now.song.text // "") == "" or .is_online == false then empty
  else {kind: "song", data: ({
      state: (if .live.is_live == true then "live" else "playing" end), type: "song",
      station: .station.name, text: $now.song.text, artist: $now.song.artist, title: $now.song.title,
      album: $now.song.album, genre: $now.song.genre, art: $now.song.art,
      duration: ($now.duration | positive), started_at: ($now.played_at | positive | if . == null then null else todate end),
      live: .live.is_live, dj: .live.streamer_name,
      next: (.playing_next | brief), listeners: .listeners.current} | known)}
  end
