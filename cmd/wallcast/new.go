package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/stream"
)

// templates are the plugins that wallcast new writes.
//
//go:embed templates
var templates embed.FS

const newHelp = `
The plugin makes a card of each request to its hook. It is written to the plugins
folder; of one in Go the source lies there in a folder of its own, and is built
where there is a Go.

  wallcast new hello --lang sh
  wallcast trust hello
  curl localhost:8080/hooks/hello -d hi`

// languages are those in which new writes plugins, in the order of its help.
var languages = []string{"sh", "python", "go", "wasm"}

func setupNew(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	lang := flags.String("lang", "sh", "the `LANGUAGE`: "+strings.Join(languages, ", "))
	return func(ctx context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast new takes the NAME of the plugin that it is to write")
		}
		name := inv.args[0]
		if err := errors.Join(stream.CheckName("plugin", name), stream.CheckKind(name)); err != nil {
			return usagef("%v", err)
		}
		cfg, err := inv.loadOrDemo()
		if err != nil {
			return err
		}
		wanted := wantedPlugins(cfg)
		if wanted.Taken[name] {
			return usagef("%s is a source already; choose another name", name)
		}
		if existing, err := wanted.Find(name); err == nil {
			return keeps(existing)
		}
		if err := os.MkdirAll(cfg.Plugins, 0o755); err != nil {
			return fmt.Errorf("making the plugins folder: %w", err)
		}
		switch *lang {
		case "sh":
			err = writeTemplate(inv, "plugin.sh", filepath.Join(cfg.Plugins, name+".sh"), name, 0o755)
		case "python":
			err = writeTemplate(inv, "plugin.py", filepath.Join(cfg.Plugins, name+".py"), name, 0o755)
		case "go":
			err = newGo(ctx, inv, cfg.Plugins, name, name)
		case "wasm":
			err = newGo(ctx, inv, cfg.Plugins, name, name+".wasm")
		default:
			return usagef("--lang wants %s, not %q", strings.Join(languages, " or "), *lang)
		}
		if err != nil {
			return err
		}
		next := "\nNext: echo hi | wallcast try " + name + "\n"
		if *lang != "wasm" { // which needs no trust
			next += "      wallcast trust " + name + "\n"
		}
		fmt.Fprintf(inv.stdout, "%s      curl %s/hooks/%s -d hi\n", next, localBase(cfg.Listen), name)
		return nil
	}
}

// writeTemplate writes one file.
func writeTemplate(inv *invocation, template, path, name string, mode fs.FileMode, names ...string) error {
	content, err := templates.ReadFile("templates/" + template)
	if err != nil {
		return err
	}
	text := strings.NewReplacer(append(names, "NAME", name)...).Replace(string(content))
	if err := writeNew(path, text); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	fmt.Fprintln(inv.stdout, "wrote", path)
	return nil
}

// newGo writes the source of a plugin in Go, and builds the file that runs: an
// executable, or a WebAssembly module.
func newGo(ctx context.Context, inv *invocation, folder, name, file string) error {
	source := filepath.Join(folder, name+".src")
	if err := os.MkdirAll(source, 0o755); err != nil {
		return fmt.Errorf("making the plugin's folder: %w", err)
	}
	build := []string{"build", "-C", source, "-o", filepath.Join("..", file), "."}
	line, env := "go "+strings.Join(build, " "), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	names := []string{"BUILD", ""}
	if isModule(file) { // needs no trust
		names = append(names, "//\twallcast trust NAME                   let it run, after each build\n", "")
		line, env = "GOOS=wasip1 GOARCH=wasm "+line, append(env, "GOOS=wasip1", "GOARCH=wasm")
	}
	names[1] = line
	if err := writeTemplate(inv, "main.go.txt", filepath.Join(source, "main.go"), name, 0o644, names...); err != nil {
		return err
	}
	module := "module " + name + "\n\ngo 1.21\n"
	if err := writeNew(filepath.Join(source, "go.mod"), module); err != nil {
		return err
	}
	if _, err := exec.LookPath("go"); err != nil {
		fmt.Fprintf(inv.stdout, "\nThere is no go here to build it with: %s\n", line)
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", build...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = inv.stderr, inv.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the plugin with %s: %w", line, err)
	}
	fmt.Fprintf(inv.stdout, "built %s with: %s\n", filepath.Join(folder, file), line)
	return nil
}

// localBase is the address at which a program on this computer is reached.
func localBase(listen []string) string {
	address := listen[0]
	if strings.HasPrefix(address, ":") {
		address = "localhost" + address
	}
	return strings.Replace(address, "127.0.0.1:", "localhost:", 1)
}
