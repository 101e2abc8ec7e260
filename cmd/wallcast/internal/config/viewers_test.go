package config_test

import (
	"testing"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

func TestViewersOfAnAddress(t *testing.T) {
	for _, test := range []struct {
		text     string
		limit    int
		loopback bool
	}{
		{"", 1000, false},
		{"viewers: {most: 5}", 1000, false},
		{"viewers: {address: 0}", 0, true},
		{"viewers: {address: 1000}", 1000, true},
	} {
		c, err := config.Parse("wallcast.yaml", []byte(test.text), types, sources.Env{}, environment())
		if err != nil {
			t.Fatal(err)
		}
		if limit, loopback := c.Viewers.PerAddress(); limit != test.limit || loopback != test.loopback {
			t.Errorf("%q: a limit of %d, for loopback too: %v", test.text, limit, loopback)
		}
	}
}
