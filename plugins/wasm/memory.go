package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
)

// memory is that of one instance. Its whole limit is reserved at the beginning:
// it never moves, so there are never two of it, and it is given back at once.
type memory struct {
	all     []byte
	refused bool // more than the limit was wanted
}

// newMemory reserves memory of at most limit bytes; no module can have more than
// 4 GiB.
func newMemory(limit int64) (*memory, error) {
	size := min(limit, 4<<30) / page * page
	if size == 0 {
		return &memory{}, nil
	}
	all, err := reserve(size)
	return &memory{all: all}, err
}

// in returns a context in which an instance has this memory. A module has one at
// most.
func (m *memory) in(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(
		func(_, _ uint64) experimental.LinearMemory { return m }))
}

// Reallocate implements experimental.LinearMemory.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		m.refused = true
		return nil
	}
	return m.all[:size]
}

// Free implements experimental.LinearMemory. The memory is freed by release, as
// not every end of an instance comes by here.
func (m *memory) Free() {}

func (m *memory) release() {
	if m.all != nil {
		_ = release(m.all) // it was reserved, and once
		m.all = nil
	}
}
