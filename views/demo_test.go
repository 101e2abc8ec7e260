package views_test

import (
	"fmt"
	"time"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/views"
)

// The wall that the tests look at: every slot, named and unnamed kinds.
var demoWall = views.Wall{
	Name:   "main",
	Title:  "Town square",
	Accent: "#b2371d",
	Kinds: map[string]views.Kind{
		"friend":   {Label: "New friend", Icon: "✚", Color: "#2e7d32"},
		"song":     {Label: "Now playing", Slot: views.Bar},
		"alert":    {Label: "Notice", Color: "#b26a00", Slot: views.Banner},
		"headline": {Label: "Headline", Color: "#1d5fa8", Slot: views.Ticker},
		"weather":  {Label: "Weather", Color: "#0b7285"},
	},
}

const demoEpoch = "k3v9x2ab"

func id(seq uint64) stream.ID { return stream.ID{Epoch: demoEpoch, Seq: seq} }

// event makes an event of demoWall; address is "kind" or "kind/key".
func event(seq uint64, at time.Time, address, data string) stream.Event {
	subject, err := stream.NewSubject("main", "", "")
	if address != "" {
		var kind, key string
		fmt.Sscanf(address, "%s", &kind)
		for i, c := range address {
			if c == '/' {
				kind, key = address[:i], address[i+1:]
			}
		}
		subject, err = stream.NewSubject("main", kind, key)
	}
	if err != nil {
		panic(err)
	}
	return stream.Event{ID: id(seq), Subject: subject, Time: at, Data: []byte(data)}
}

var demoEvents = []struct{ minutes, address, data string }{
	{"190", "", `{"author":"Ines","text":"The bakery on Mill Lane opens an hour earlier on market days. You are welcome."}`},
	{"171", "headline", `{"title":"Footbridge over the Aller reopens on Monday after nine months of repairs"}`},
	{"160", "headline", `{"title":"Library extends its evening hours until the end of January"}`},
	{"128", "headline", `{"title":"Council votes for the new tram stop at Weavers' Yard","url":"https://example.com/tram"}`},
	{"94", "headline", `{"title":"Swimming hall: water back to 27 degrees"}`},
	{"82", "weather", `{"station":"Market tower","temperature":"4.5 °C","wind":"NW 18 km/h","pressure":1012.4,"rain":false}`},
	{"74", "", `{"author":{"name":"Noor El-Amin","url":"https://example.com/noor"},"text":"مساء الخير من الساحة. القهوة ساخنة والمطر توقف."}`},
	{"63", "friend", `{"author":"Jonas Weber","text":"joined the square"}`},
	{"51", "", `{"author":"Priya","title":"A walk along the old railway line","url":"https://example.com/walks/railway","text":"Eleven kilometres, flat, with three places to sit down and one to fall in. The bridge at Holm is passable again; bring boots all the same."}`},
	{"42", "", `hello from curl`},
	{"37", "", `{"author":"Tom","text":"Choir practice moved to the small hall tonight, because someone has lent the large one to a brass band.\n\nBring a chair. Bring a second chair if you sing bass.\n\nWe start with the Purcell, at a tempo that everyone can regret together. Then the two carols, the ones from last year, from the beginning, because nobody remembers the second verse. After the break we try the new piece, whose composer will be in the room and has promised not to say anything until we are finished. There is tea. There was cake, and there may be cake again if the person who took the tin home recognises herself in this message and acts accordingly before half past seven this evening."}`},
	{"24", "song/jazz", `{"station":"Radio Square","artist":"Mulatu Astatke","title":"Yèkèrmo Sèw","album":"Ethio Jazz","started_at":%d,"duration":256,"next":{"artist":"Alice Coltrane","title":"Turiya and Ramakrishna"},"live":"Ruth Adler"}`},
	{"18", "friend", `{"author":"Maya Okafor","text":"is here, and brought the good biscuits"}`},
	{"12", "order-shipped", `{"order":4711,"carrier":"bicycle","parcels":2,"to":"Weavers' Yard 9"}`},
	{"9", "alert", `{"title":"Market Street is closed to cars until six","text":"Buses 4 and 11 stop at the station instead."}`},
	{"6", "", `{"author":"Lena Brandt","text":"Does anybody know who is building the wooden thing beside the fountain? It has a door now. See https://example.com/fountain for a picture."}`},
	{"3", "", `{"author":"Ines","text":"It is a sauna."}`},
	{"0", "", `{"author":"Lena Brandt","text":"Of course it is."}`},
}

// demoPage is the demo wall as it is at now.
func demoPage(now time.Time) views.Page {
	p := views.Page{
		Wall: demoWall, Now: now, Build: "b1", BaseURL: "http://localhost:8080",
		Older:   "/walls/main?before=" + demoEpoch + "-1",
		Publish: "curl -d 'hello' localhost:8080/walls/main/events",
	}
	for i, e := range demoEvents {
		ago, _ := time.ParseDuration(e.minutes + "m12s")
		data := e.data
		if e.address == "song/jazz" {
			data = fmt.Sprintf(data, now.Add(-97*time.Second).Unix())
		}
		p.Events = append(p.Events, event(uint64(i+1), now.Add(-ago), e.address, data))
	}
	p.Head = id(uint64(len(p.Events)))
	return p
}
