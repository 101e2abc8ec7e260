//go:build unix

package wasm

import "syscall"

// reserve returns memory of which the system gives only what is touched.
func reserve(size int64) ([]byte, error) {
	return syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// release gives it back at once.
func release(memory []byte) error { return syscall.Munmap(memory) }
