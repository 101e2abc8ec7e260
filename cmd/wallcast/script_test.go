package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command line as people type it. Beside testscript's own
// commands the scripts of testdata/script have
//
//	await ADDRESS              wait until a program serves there
//	await FILE PATTERN         wait until the file holds the pattern
//	ask METHOD URL [BODY]      a request for JSON; its status and body become the standard output
//	mode FILE OCTAL            check the permissions
//	cut FILE PATTERN           write the pattern's first group in the standard output to the file
//	json FILE                  check that a file is JSON
//	exits CODE PROGRAM [ARG]…  run a program and check its exit code
//
// and $ADDRESS, $ADDRESS2, $NEXT: two free addresses, and the one after $ADDRESS.
func TestScripts(t *testing.T) {
	program, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "home", "cache"))
			address := freeAddress(t)
			env.Setenv("ADDRESS", address)
			env.Setenv("ADDRESS2", freeAddress(t))
			env.Setenv("NEXT", nextAddress(t, address))
			return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "ask": ask, "mode": mode, "cut": cut, "json": isJSON, "exits": exits,
		},
	})
}

func nextAddress(t *testing.T, address string) string {
	t.Helper()
	host, port, _ := strings.Cut(address, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return host + ":" + strconv.Itoa(n+1)
}

// awaitLimit is how long something may take that a script waits for.
const awaitLimit = time.Minute

func await(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await ADDRESS, or await FILE PATTERN")
	}
	there := func() bool { return ready(args[0]) }
	if len(args) == 2 {
		pattern, err := regexp.Compile("(?m)" + args[1])
		ts.Check(err)
		there = func() bool {
			text, err := os.ReadFile(ts.MkAbs(args[0]))
			return err == nil && pattern.Match(text)
		}
	}
	for end := time.Now().Add(awaitLimit); !there(); {
		if time.Now().After(end) {
			if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil {
				ts.Logf("%s", text)
			}
			ts.Fatalf("%v did not come about within %s", args, awaitLimit)
		}
		time.Sleep(20 * time.Millisecond) // looking again, not hoping
	}
}

func ready(address string) bool {
	resp, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func ask(ts *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: ask METHOD URL [BODY]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), awaitLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, args[0], args[1], strings.NewReader(strings.Join(args[2:], "")))
	ts.Check(err)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	ts.Check(err)
	if ok := resp.StatusCode < 400; ok == not {
		ts.Fatalf("%s %s", resp.Status, body.String())
	}
	_, err = fmt.Fprintf(ts.Stdout(), "%s\n%s", resp.Status, body.String())
	ts.Check(err)
}

func mode(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) != 2 {
		ts.Fatalf("usage: mode FILE OCTAL")
	}
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if have := fmt.Sprintf("%o", info.Mode().Perm()); have != args[1] {
		ts.Fatalf("%s has the mode %s, want %s", args[0], have, args[1])
	}
}

func cut(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) != 2 {
		ts.Fatalf("usage: cut FILE PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("the standard output has nothing like %s", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(found[1]), 0o600))
	ts.Setenv(strings.ToUpper(args[0]), found[1])
}

func isJSON(ts *testscript.TestScript, not bool, args []string) {
	for _, name := range args {
		if json.Valid([]byte(ts.ReadFile(name))) == not {
			ts.Fatalf("%s: JSON is %v", name, !not)
		}
	}
}

func exits(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case err == nil && args[0] == "0":
	case errors.As(err, &exit) && strconv.Itoa(exit.ExitCode()) == args[0]:
	default:
		ts.Fatalf("%v ended with %v, want %s", args[1:], err, args[0])
	}
}
