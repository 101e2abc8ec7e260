package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/outbound"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/pictures"
	"github.com/wallcast/wallcast/sources"
)

// invocation is one call of the program.
type invocation struct {
	args   []string // what is left beside the flags
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	outbound *outbound.Pool    // how the sources reach others
	gallery  *pictures.Gallery // where their pictures go; nil where the program doesn't serve

	config string // the configuration file; empty: ./wallcast.yaml
	listen string // overrides the configuration's
	data   string // overrides the configuration's
}

// command is one of the program's commands.
type command struct {
	name string
	args string // what it takes, for its usage
	doc  string // one line
	long string // the rest of its help; may be empty

	// setup declares the command's own flags and returns what runs it.
	setup func(*pflag.FlagSet) func(context.Context, *invocation) error
}

var commands = []command{
	{name: "serve", doc: "serve the walls of wallcast.yaml", setup: setupServe},
	{name: "demo", doc: "serve a wall that is already moving (what wallcast alone does where there is no wallcast.yaml)", setup: setupDemo},
	{name: "init", args: "[FOLDER]", doc: "write a wallcast.yaml to begin with", setup: setupInit},
	{name: "check", doc: "read wallcast.yaml and say what is wrong with it", long: checkHelp, setup: setupCheck},
	{name: "try", args: "NAME", doc: "run a source once without storing anything, and show its events and cards", long: tryHelp, setup: setupTry},
	{name: "schema", doc: "print a JSON Schema of wallcast.yaml for your editor", setup: setupSchema},
	{name: "publish", args: "[DATA]", doc: "publish an event", long: publishHelp, setup: setupPublish},
	{name: "tail", args: "[WALL]", doc: "print a wall's events as they come", long: tailHelp, setup: setupTail},
	{name: "retract", args: "ID", doc: "take an event off its wall", setup: setupRetract},
	{name: "sources", doc: "show how the sources are doing", setup: setupSources},
	{name: "hook", args: "NAME [show|replay N]", doc: "look at what was delivered to a hook, and replay it", long: hookHelp, setup: setupHook},
	{name: "new", args: "NAME", doc: "write a small plugin to begin with", long: newHelp, setup: setupNew},
	{name: "trust", args: "NAME", doc: "let an executable plugin run, as it is now", long: trustHelp, setup: setupTrust},
	{name: "plugin", args: "[list|logs|dead|replay]", doc: "look at the plugins, and replay what they failed on", long: pluginHelp, setup: setupPlugin},
	{name: "held", args: "[approve|drop N...]", doc: "decide about events that wait for a moderator", long: heldHelp, setup: setupHeld},
	{name: "token", args: "NAME", doc: "make a token for somebody who may write", long: tokenHelp, setup: setupToken},
	{name: "link", args: "[WALL]", doc: "make a link that opens a private wall for a while", setup: setupLink},
	{name: "bench", doc: "load-test a wall: will it hold?", long: benchHelp, setup: setupBench},
	{name: "version", doc: "print the program's version", setup: setupVersion},
}

// run runs the program: args are those of the command line without its name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	name, rest := commandName(args)
	if name == "help" {
		return help(stdout, rest)
	}
	if name == "" {
		name = "demo"
		if wanted, err := serves(args); err != nil || wanted {
			name = "serve"
		}
	}
	for _, c := range commands {
		if c.name == name {
			pool := outbound.New(outbound.Config{Version: version()})
			defer pool.Close()
			return c.run(ctx, rest, &invocation{stdin: stdin, stdout: stdout, stderr: stderr, outbound: pool})
		}
	}
	return usagef("there is no command %q; wallcast help lists them", name)
}

// globalFlags declares the flags that every command has.
func globalFlags(inv *invocation) *pflag.FlagSet {
	flags := pflag.NewFlagSet("wallcast", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVarP(&inv.config, "config", "c", "", "the configuration `FILE` (default ./wallcast.yaml)")
	flags.StringVar(&inv.listen, "listen", "", "serve on this `ADDRESS` instead of the configured ones")
	flags.StringVar(&inv.data, "data", "", "keep the data in this `FOLDER` instead of the configured one")
	return flags
}

// commandName finds the command among args, which may stand behind flags, and
// returns the other args.
func commandName(args []string) (string, []string) {
	valued := valuedFlags()
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			return arg, append(append([]string(nil), args[:i]...), args[i+1:]...)
		}
		switch arg {
		case "-h", "--help":
			return "help", nil
		case "--version":
			return "version", nil
		}
		if valued[arg] {
			i++
		}
	}
	return "", args
}

// valuedFlags are the flags of all commands that take the next argument as their
// value, in the spellings that they have.
func valuedFlags() map[string]bool {
	valued := map[string]bool{}
	for _, c := range commands {
		flags := globalFlags(new(invocation))
		c.setup(flags)
		flags.VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" { // a switch
				return
			}
			valued["--"+f.Name] = true
			if f.Shorthand != "" {
				valued["-"+f.Shorthand] = true
			}
		})
	}
	return valued
}

// serves reports whether the program called without a command has something to
// serve: a configuration that is named or lies here.
func serves(args []string) (bool, error) {
	inv := &invocation{}
	flags := globalFlags(inv)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if inv.config != "" {
		return true, nil
	}
	_, err := os.Stat(configFile)
	return err == nil, nil
}

func (c command) run(ctx context.Context, args []string, inv *invocation) error {
	flags := globalFlags(inv)
	execute := c.setup(flags)
	flags.Usage = func() { c.usage(inv.stdout, flags) }
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return usagef("%v; wallcast help %s lists the flags", err, c.name)
	}
	inv.args = flags.Args()
	if c.args == "" && len(inv.args) > 0 {
		return usagef("wallcast %s takes no arguments, and got %q", c.name, inv.args[0])
	}
	return execute(ctx, inv)
}

func (c command) usage(w io.Writer, flags *pflag.FlagSet) {
	fmt.Fprintf(w, "wallcast %s: %s\n\n  wallcast %s\n", c.name, c.doc, strings.TrimSpace(c.name+" "+c.args))
	if c.long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.long))
	}
	fmt.Fprintf(w, "\nFlags:\n%s", flags.FlagUsages())
}

func help(w io.Writer, args []string) error {
	if len(args) > 0 && args[0] != "help" {
		for _, c := range commands {
			if c.name == args[0] {
				inv := &invocation{}
				flags := globalFlags(inv)
				c.setup(flags)
				c.usage(w, flags)
				return nil
			}
		}
		return usagef("there is no command %q; wallcast help lists them", args[0])
	}
	fmt.Fprint(w, "wallcast puts a live wall on any website.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  wallcast %-18s %s\n", strings.TrimSpace(c.name+" "+c.args), c.doc)
	}
	fmt.Fprint(w, "\nCalled alone it serves ./wallcast.yaml or, where there is none, the demo.\nwallcast help COMMAND tells more; flags may stand anywhere.\n")
	return nil
}

// configFile is read when no other file is named.
const configFile = "wallcast.yaml"

// around is what every source is given of where it runs.
func (inv *invocation) around() sources.Env {
	env := sources.Env{Network: inv.outbound.Network()}
	if inv.gallery != nil {
		env.Pictures = inv.gallery
	}
	return env
}

// load reads the configuration and applies the flags that override it.
func (inv *invocation) load() (*config.Config, error) {
	path := inv.config
	if path == "" {
		path = configFile
	}
	cfg, err := config.Load(path, sourceTypes, inv.around(), os.LookupEnv)
	if errors.Is(err, os.ErrNotExist) && inv.config == "" {
		return nil, fmt.Errorf("there is no %s here; wallcast init writes one, and -c FILE names another", configFile)
	}
	if err != nil {
		return nil, err
	}
	return cfg, inv.override(cfg)
}

// override applies the flags that stand above the configuration.
func (inv *invocation) override(cfg *config.Config) error {
	if inv.listen != "" {
		addresses, err := config.ParseListen(inv.listen)
		if err != nil {
			return usagef("--listen %v", err)
		}
		cfg.Listen = addresses
	}
	if inv.data != "" {
		folder, err := filepath.Abs(inv.data)
		if err != nil {
			return fmt.Errorf("finding the folder %s: %w", inv.data, err)
		}
		cfg.Data = folder
	}
	return nil
}
