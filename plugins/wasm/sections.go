package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The engine believes each count that a module declares, and reserves memory for
// it before it looks whether there is so much: a hundred bytes could end the whole
// process. So everything that is counted is walked through here first. A section
// has passed when exactly its content was read.

const (
	// maxItems is how many things of a kind a module may have. A Go program of 64
	// MiB has 130,000 functions.
	maxItems = 300_000

	// maxLocals is how many variables a function may have, as in browsers.
	maxLocals = 50_000
)

var errDamaged = errors.New("it is damaged, incomplete, or made for more than WebAssembly 2.0: build or copy it again")

// walks are the sections that are looked at, and passed on as they are.
var walks = map[byte]func(s *scanner){
	1: func(s *scanner) { s.each((*scanner).functionType) },
	3: func(s *scanner) { s.each(func(s *scanner) { s.number() }) },
	5: func(s *scanner) { s.each((*scanner).limits) },
	6: func(s *scanner) { s.each(func(s *scanner) { s.bytes(2); s.expression() }) },
	7: func(s *scanner) { s.each(func(s *scanner) { s.bytes(s.number()); s.byte(); s.number() }) },
	8: func(s *scanner) { s.number() },
	9: func(s *scanner) {
		left := maxItems // in all
		s.each(func(s *scanner) { s.elements(&left) })
	},
	10: func(s *scanner) { s.each((*scanner).function) },
	11: func(s *scanner) { s.each((*scanner).data) },
	12: func(s *scanner) { s.number() },
}

// scanner reads the parts of a section.
type scanner struct {
	rest    []byte
	damaged bool
	crowded bool // there are more things than maxItems
}

func (s *scanner) fail() { s.damaged, s.rest = true, nil }

// err is what was wrong with a section that should be at its end.
func (s *scanner) err() error {
	switch {
	case s.crowded:
		return fmt.Errorf("it has more than %d functions, or other things of a kind, or more than %d variables in a function", maxItems, maxLocals)
	case s.damaged || len(s.rest) > 0:
		return errDamaged
	}
	return nil
}

func (s *scanner) byte() byte {
	if part := s.bytes(1); len(part) == 1 {
		return part[0]
	}
	return 0
}

func (s *scanner) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(s.rest)) {
		s.fail()
		return nil
	}
	part := s.rest[:n]
	s.rest = s.rest[n:]
	return part
}

// number reads an unsigned number.
func (s *scanner) number() uint32 {
	n, size := binary.Uvarint(s.rest)
	if size <= 0 || size > 5 || n > 1<<32-1 {
		s.fail()
		return 0
	}
	s.rest = s.rest[size:]
	return uint32(n)
}

// constant reads a signed number.
func (s *scanner) constant() {
	for range 10 {
		if s.byte() < 0x80 {
			return
		}
	}
	s.fail()
}

// count reads how many things follow.
func (s *scanner) count() uint32 {
	n := s.number()
	if n > maxItems {
		s.crowded = true
		s.fail()
	}
	if s.damaged {
		return 0
	}
	return n
}

func (s *scanner) each(item func(s *scanner)) {
	for range s.count() {
		if s.damaged {
			return
		}
		item(s)
	}
}

func (s *scanner) functionType() {
	if s.byte() != 0x60 {
		s.fail()
	}
	s.bytes(s.count()) // a type is a byte
	s.bytes(s.count())
}

func (s *scanner) limits() {
	flags := s.byte()
	s.number()
	if flags&1 != 0 {
		s.number()
	}
}

// expression reads one that is constant.
func (s *scanner) expression() {
	for !s.damaged {
		switch s.byte() {
		case 0x0b: // end
			return
		case 0x41, 0x42, 0xd0: // i32.const, i64.const, ref.null
			s.constant()
		case 0x23, 0xd2: // global.get, ref.func
			s.number()
		case 0x43: // f32.const
			s.bytes(4)
		case 0x44: // f64.const
			s.bytes(8)
		case 0xfd: // v128.const
			s.bytes(17)
		default:
			s.fail()
		}
	}
}

// elements reads what a table is filled with.
func (s *scanner) elements(left *int) {
	form := s.number()
	if form > 7 {
		s.fail()
	}
	active, ofExpressions := form&1 == 0, form&4 != 0
	if active {
		if form&2 != 0 {
			s.number()
		}
		s.expression()
	}
	if form&3 != 0 {
		s.byte()
	}
	n := s.count()
	if *left -= int(n); *left < 0 {
		s.crowded = true
		s.fail()
	}
	for range n {
		switch {
		case s.damaged:
			return
		case ofExpressions:
			s.expression()
		default:
			s.number()
		}
	}
}

func (s *scanner) function() {
	body := scanner{rest: s.bytes(s.number())}
	var total uint64
	for range body.count() {
		if body.damaged {
			break
		}
		total += uint64(body.number())
		body.byte()
	}
	s.crowded = s.crowded || body.crowded || total > maxLocals
	if body.damaged || s.crowded {
		s.fail()
	}
}

func (s *scanner) data() {
	form := s.number()
	if form > 2 {
		s.fail()
	}
	if form == 2 {
		s.number()
	}
	if form != 1 {
		s.expression()
	}
	s.bytes(s.number())
}

// functionNames returns the section of names with those of functions alone, which
// are for whoever reads why a module has ended, or nil.
func functionNames(content []byte) []byte {
	s := scanner{rest: content}
	if string(s.bytes(s.number())) != "name" {
		return nil
	}
	for len(s.rest) > 0 {
		id, part := s.byte(), s.bytes(s.number())
		if id != 1 {
			continue
		}
		names := scanner{rest: part}
		names.each(func(s *scanner) { s.number(); s.bytes(s.number()) })
		if names.err() != nil {
			return nil
		}
		kept := append([]byte("\x04name\x01"), binary.AppendUvarint(nil, uint64(len(part)))...)
		return append(kept, part...)
	}
	return nil
}
