package config

import (
	"path/filepath"
	"slices"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// fewEvents is what [sources.Instance] calls few.
const fewEvents = 1000

// Instances are the sources as a supervisor takes them.
func (c *Config) Instances() []sources.Instance {
	few := c.FewEvents()
	instances := make([]sources.Instance, len(c.Sources))
	for i, s := range c.Sources {
		instances[i] = c.instance(s, few)
	}
	return instances
}

// Instance is the source of that name as a supervisor takes it.
func (c *Config) Instance(name string) (sources.Instance, bool) {
	for _, s := range c.Sources {
		if s.Name == name {
			return c.instance(s, c.FewEvents()), true
		}
	}
	return sources.Instance{}, false
}

func (c *Config) instance(s Source, few map[string]bool) sources.Instance {
	i := sources.Instance{
		Name:           s.Name,
		Type:           s.Type,
		Source:         s.Run,
		Version:        s.version,
		To:             stream.Subject(s.To),
		Walls:          s.Walls,
		Rate:           sources.Rate(s.Rate),
		Hold:           s.Hold,
		CheckpointEach: few[s.To.Wall] || slices.ContainsFunc(s.Walls, func(wall string) bool { return few[wall] }),
	}
	if s.Program != nil {
		i.Transform = s.Program
	}
	return i
}

// DefaultPlugin is the source of a plugin that no setting names, as a supervisor
// takes it. Its events wait for a moderator where posts of anyone do.
func (c *Config) DefaultPlugin(name string, around sources.Env) (sources.Instance, error) {
	first := c.Walls[0]
	around.Name, around.Folder = name, c.Folder()
	run, err := plugins.Default(around.Complete())
	if err != nil {
		return sources.Instance{}, err
	}
	return sources.Instance{
		Name:           name,
		Type:           plugins.Type().Name,
		Source:         run,
		Version:        "default",
		To:             plugins.To(stream.Subject{}, name, first.Name),
		Hold:           first.Post.Hold,
		CheckpointEach: c.FewEvents()[first.Name],
	}, nil
}

// Folder is what relative paths of settings are relative to.
func (c *Config) Folder() string {
	if c.file == nil {
		return "."
	}
	return filepath.Dir(c.file.name)
}

// Access is what a guard goes by. GrantKey signs links, see [access.NewGrant].
func (c *Config) Access(grantKey []byte) access.Config {
	a := access.Config{Proxies: c.Proxies, GrantKey: grantKey}
	if c.URL != (URL{}) {
		// It was read as an origin, so it is one.
		a.URL, _ = access.ParseOrigin(c.URL.String())
	}
	for _, t := range c.Tokens {
		a.Tokens = append(a.Tokens, access.Token(t))
	}
	for _, w := range c.Walls {
		a.Walls = append(a.Walls, access.Wall{
			Name:    w.Name,
			Private: w.Private,
			Origins: w.Origins,
			Anyone:  w.Post.Anyone(),
			Rate:    w.Post.Rate,
		})
	}
	return a
}

// FewEvents are the walls that keep so few events that a source saves its cursor
// after each, see [sources.Instance].
func (c *Config) FewEvents() map[string]bool {
	few := map[string]bool{}
	for _, w := range c.Walls {
		few[w.Name] = w.Keep.Events < fewEvents
	}
	return few
}
