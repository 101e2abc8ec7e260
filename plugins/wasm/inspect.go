package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The sections that are more than walked through.
const (
	customSection = 0
	importSection = 2
	tableSection  = 4
	memorySection = 5
)

// maxTable is how many entries all tables of an instance may have. Each takes 8
// bytes of our memory, which the limit of a run does not cover.
const maxTable = 1 << 20

// page is the unit in which a module's memory grows, in bytes.
const page = 64 << 10

// module is a module that looks right from outside.
type module struct {
	binary []byte // with tables that cannot grow beyond maxTable, without debug information
	memory int64  // bytes that an instance begins with
}

// moduleError says what is wrong with a module, whatever it is compiled by.
type moduleError struct{ text string }

func (e *moduleError) Error() string { return e.text }

func wrong(format string, args ...any) error { return &moduleError{fmt.Sprintf(format, args...)} }

// inspect looks at what the engine doesn't, or says less clearly.
func inspect(file []byte) (module, error) {
	rest, isModule := bytes.CutPrefix(file, []byte("\x00asm"))
	switch {
	case len(file) == 0:
		return module{}, errors.New("it is empty")
	case !isModule && bytes.HasPrefix(bytes.TrimSpace(file), []byte("(module")):
		return module{}, errors.New("it is a WebAssembly module as text: assemble it, with wat2wasm for example")
	case !isModule:
		return module{}, errors.New("it is not a WebAssembly module: such a file begins with a zero byte and asm")
	case bytes.HasPrefix(rest, []byte{0x0d, 0, 1, 0}):
		return module{}, errors.New("it is a WebAssembly component (WASI preview 2): build it for preview 1, which is wasm32-wasip1 in Rust and TinyGo's -target=wasip1")
	case !bytes.HasPrefix(rest, []byte{1, 0, 0, 0}):
		return module{}, errors.New("it is not of version 1 of WebAssembly: build it for wasm32-wasip1")
	}
	m := module{binary: append(make([]byte, 0, len(file)+16), file[:8]...)}
	s := scanner{rest: rest[4:]}
	for len(s.rest) > 0 && !s.damaged {
		id, content := s.byte(), s.bytes(s.number())
		if s.damaged {
			break
		}
		content, err := m.section(id, content)
		if err != nil {
			return module{}, err
		}
		if content == nil {
			continue
		}
		m.binary = append(m.binary, id)
		m.binary = binary.AppendUvarint(m.binary, uint64(len(content)))
		m.binary = append(m.binary, content...)
	}
	return m, s.err()
}

// section returns what becomes of the content of a section; nil if it is left
// out.
func (m *module) section(id byte, content []byte) ([]byte, error) {
	s := scanner{rest: content}
	switch id {
	case customSection:
		return functionNames(content), nil
	case importSection:
		return content, checkImports(&s)
	case tableSection:
		return boundTables(&s)
	case memorySection:
		if memory := s; memory.number() > 0 {
			memory.byte()
			m.memory = int64(memory.number()) * page
		}
	}
	walk, ok := walks[id]
	if !ok {
		return nil, errDamaged
	}
	walk(&s)
	return content, s.err()
}

// checkImports refuses what only a host of another kind can give. Functions are
// looked at when the module is compiled.
func checkImports(s *scanner) error {
	for range s.count() {
		from, name := string(s.bytes(s.number())), string(s.bytes(s.number()))
		switch kind := s.byte(); {
		case s.damaged:
			return errDamaged
		case kind == 0:
			s.number()
		case kind == 2:
			return fmt.Errorf("it imports its memory (%q from %q), but has to bring it: link it without --import-memory", name, from)
		default:
			return fmt.Errorf("it imports %q from %q, which is no function: link it into one module, without dynamic linking", name, from)
		}
	}
	return s.err()
}

// boundTables gives every table a maximum.
func boundTables(s *scanner) ([]byte, error) {
	count := s.number()
	if count > 100 {
		return nil, fmt.Errorf("it has %d tables; 100 are allowed", count)
	}
	content := binary.AppendUvarint(nil, uint64(count))
	for range count {
		most := uint32(maxTable) / count
		kind, flags, least := s.byte(), s.byte(), s.number()
		if flags&1 != 0 {
			most = min(most, s.number())
		}
		switch {
		case s.damaged || flags > 1:
			return nil, errDamaged
		case least > most:
			return nil, fmt.Errorf("it has a table with %d entries; %d are allowed", least, most)
		}
		content = append(content, kind, 1)
		content = binary.AppendUvarint(content, uint64(least))
		content = binary.AppendUvarint(content, uint64(most))
	}
	return content, s.err()
}

// checkFunctions says whether a module can be run as a command with what is
// offered to it.
func checkFunctions(compiled wazero.CompiledModule, offered map[string]map[string]api.FunctionDefinition) error {
	exports := compiled.ExportedFunctions()
	start, isCommand := exports["_start"]
	_, isLibrary := exports["_initialize"]
	switch {
	case isLibrary && !isCommand:
		return wrong("it is a library (it has _initialize, but no _start): build a command, with a main function; in Go without -buildmode=c-shared, in Rust as a binary, in C without -mexec-model=reactor")
	case !isCommand:
		return wrong("it has no _start function, so it is no command: build a program with a main function, for wasm32-wasip1")
	case len(start.ParamTypes()) > 0 || len(start.ResultTypes()) > 0:
		return wrong("its _start function has parameters or results, so it is no WASI command: build it for wasm32-wasip1")
	}
	for _, f := range compiled.ImportedFunctions() {
		from, name, _ := f.Import()
		offer, ok := offered[from][name]
		switch {
		case offered[from] == nil:
			return wrong("it imports the function %q from %q, which Wallcast doesn't offer%s", name, from, remedy(from))
		case !ok:
			return wrong("it imports the function %q from %q, which has none of that name", name, from)
		case !bytes.Equal(f.ParamTypes(), offer.ParamTypes()) || !bytes.Equal(f.ResultTypes(), offer.ResultTypes()):
			return wrong("it imports the function %q from %q with other parameters or results than that has", name, from)
		}
	}
	return nil
}

// remedy says how to come by a module without imports from there.
func remedy(from string) string {
	switch {
	case from == "gojs" || from == "go":
		return ": it was built for browsers; build it with GOOS=wasip1"
	case strings.HasPrefix(from, "wbg") || strings.HasPrefix(from, "__wbindgen"):
		return ": it was built for browsers with wasm-bindgen; build it for wasm32-wasip1"
	case from == "wasi_unstable":
		return ": it was built for an older WASI; build it for wasm32-wasip1 with a newer compiler"
	case from == "env":
		return ": perhaps a function that was declared, but not linked; or it was built for browsers: build it for wasm32-wasip1"
	}
	return ": it was built for another host; build it for wasm32-wasip1"
}
