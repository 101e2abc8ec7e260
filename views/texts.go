package views

// texts are the page's own words. The script reads the same ones from the page,
// so each stands once. "{n}" and "{time}" are filled in by the script.
type texts struct {
	Skip       string `json:"-"`
	Feed       string `json:"-"`
	Notices    string `json:"-"`
	NowPlaying string `json:"-"`
	Brief      string `json:"-"`
	Older      string `json:"-"`
	AsOf       string `json:"-"`
	Empty      string `json:"-"`
	EmptyTry   string `json:"-"`
	More       string `json:"-"`
	Less       string `json:"-"`
	Picture    string `json:"-"`
	OnAir      string `json:"-"`
	OffAir     string `json:"-"`
	Silence    string `json:"-"`
	NoContact  string `json:"-"`
	Stale      string `json:"-"`
	Listening  string `json:"-"`
	Recent     string `json:"-"`
	Next       string `json:"-"`
	Progress   string `json:"-"`

	Pause        string `json:"pause"`
	Resume       string `json:"resume"`
	Paused       string `json:"paused"`
	Connecting   string `json:"connecting"`
	Live         string `json:"live"`
	Watching     string `json:"watching"`
	Reconnecting string `json:"reconnecting"`
	Offline      string `json:"offline"`
	Full         string `json:"full"`
	Away         string `json:"away"`
	Fresh        string `json:"fresh"`
	Announce     string `json:"announce"`
	Gap          string `json:"gap"`
	Now          string `json:"now"`
}

var english = texts{
	Skip:       "Skip to the posts",
	Feed:       "Posts",
	Notices:    "Notices",
	NowPlaying: "Now playing",
	Brief:      "In brief",
	Older:      "Older posts",
	AsOf:       "As of",
	Empty:      "Nothing here yet.",
	EmptyTry:   "Put the first card on this wall:",
	More:       "Read more",
	Less:       "Show less",
	Picture:    "Picture",
	OnAir:      "Live",
	OffAir:     "Off air",
	Silence:    "Silence",
	NoContact:  "No contact",
	Stale:      "May be over",
	Listening:  "{n} listening",
	Recent:     "Last played",
	Next:       "Next",
	Progress:   "How far the song is",

	Pause:        "Pause",
	Resume:       "Resume",
	Paused:       "Paused",
	Connecting:   "Connecting",
	Live:         "Live",
	Watching:     "{n} watching",
	Reconnecting: "Reconnecting",
	Offline:      "Offline since {time}",
	Full:         "The wall is full, waiting",
	Away:         "{n} while away",
	Fresh:        "{n} new",
	Announce:     "New posts: {n}",
	Gap:          "Some posts are missing here",
	Now:          "now",
}
