//go:build wasip1

// The guest does what its standard input says, a word and its argument.
package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

//go:wasmimport wallcast fetch
func fetch(request unsafe.Pointer, length uint32) int32

//go:wasmimport wallcast answer
func answer(to unsafe.Pointer, length uint32) int32

func main() {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadString('\n')
	check(err)
	word, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	if act, ok := acts[word]; ok {
		act(in, argument)
		return
	}
	fmt.Fprintln(os.Stderr, "no such act:", word)
	os.Exit(99)
}

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

var kept [][]byte

var acts = map[string]func(in io.Reader, argument string){
	"say":  func(_ io.Reader, text string) { fmt.Println(text) },
	"rest": func(in io.Reader, _ string) { rest, err := io.ReadAll(in); check(err); fmt.Printf("%q\n", rest) },
	"count": func(_ io.Reader, n string) {
		out := bufio.NewWriter(os.Stdout)
		defer out.Flush()
		for i := range number(n) {
			fmt.Fprintln(out, i+1)
		}
	},
	"exit":  func(_ io.Reader, n string) { fmt.Fprintln(os.Stderr, "leaving"); os.Exit(number(n)) },
	"panic": func(io.Reader, string) { panic("at the guest's") },
	"spin": func(io.Reader, string) {
		fmt.Println("spinning")
		for {
		}
	},
	"sleep": func(_ io.Reader, d string) {
		fmt.Println("sleeping")
		long, err := time.ParseDuration(d)
		check(err)
		time.Sleep(long)
		fmt.Println("awake")
	},
	"allocate": func(_ io.Reader, n string) {
		for range number(n) {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		fmt.Println("allocated")
	},
	"flood": func(_ io.Reader, to string) {
		out := os.Stdout
		if to == "log" {
			out = os.Stderr
		}
		for {
			if _, err := out.Write([]byte(strings.Repeat("flood ", 100) + "\n")); err != nil && to != "log" {
				for { // it doesn't take the hint
				}
			}
		}
	},
	"log": func(_ io.Reader, n string) {
		for i := range number(n) {
			fmt.Fprintln(os.Stderr, "log line", i)
		}
	},
	"partial": func(io.Reader, string) { fmt.Print(`{"data":"whole"}` + "\n" + `{"data":"par`) },
	"noise": func(io.Reader, string) {
		noise := make([]byte, 100_000)
		rand.Read(noise)
		os.Stdout.Write(noise)
	},
	"long": func(_ io.Reader, n string) { fmt.Println("a\n" + strings.Repeat("x", number(n)) + "\nb") },
	"environment": func(io.Reader, string) {
		fmt.Println(strings.Join(os.Environ(), " "))
		fmt.Printf("%q\n", os.Args)
	},
	"clock": func(io.Reader, string) {
		began := time.Now()
		time.Sleep(20 * time.Millisecond)
		fmt.Println(began.UnixNano(), time.Since(began).Nanoseconds())
	},
	"random": func(_ io.Reader, n string) {
		random := make([]byte, number(n))
		rand.Read(random)
		fmt.Printf("%x\n", random[:16])
	},
	"wait": func(in io.Reader, what string) {
		fmt.Println("waiting")
		_, err := io.Copy(io.Discard, in)
		check(err)
		fmt.Println("stopping")
		for what == "stubborn" {
			runtime.Gosched()
		}
	},
	"read": func(_ io.Reader, path string) { data, err := os.ReadFile(path); check(err); fmt.Println(string(data)) },
	"list": func(_ io.Reader, path string) {
		check(filepath.Walk(path, func(path string, info os.FileInfo, err error) error {
			check(err)
			fmt.Println(path, info.Mode().Type(), info.Size())
			return nil
		}))
	},
	"write": func(_ io.Reader, path string) {
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		check(err)
		_, err = f.WriteString("written")
		check(err)
		check(f.Sync())
		check(f.Close())
		check(os.Chtimes(path, time.Unix(1, 0), time.Unix(2, 0)))
		check(os.Rename(path, path+".new"))
	},
	"remove": func(_ io.Reader, path string) { check(os.Remove(path)) },
	"link":   func(_ io.Reader, path string) { check(os.Symlink("../../../etc/passwd", path)) },
	"fill": func(_ io.Reader, path string) {
		f, err := os.Create(path)
		check(err)
		for block := make([]byte, 1<<20); ; {
			_, err := f.Write(block)
			check(err)
		}
	},
	"hoard": func(_ io.Reader, path string) {
		for n := 0; ; n++ {
			if _, err := os.Open(path); err != nil {
				fmt.Println(n, err)
				return
			}
		}
	},
	"fetch": func(_ io.Reader, request string) {
		b := []byte(request)
		n := fetch(unsafe.Pointer(&b[0]), uint32(len(b)))
		got := make([]byte, n)
		if short := answer(unsafe.Pointer(&got[0]), uint32(n-1)); short != 0 {
			fmt.Println("a short copy:", short)
		}
		if all := answer(unsafe.Pointer(&got[0]), uint32(n)); all != n {
			fmt.Println("copied", all, "of", n)
		}
		fmt.Println(string(got))
	},
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}
