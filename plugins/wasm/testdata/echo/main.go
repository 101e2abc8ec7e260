//go:build wasip1

// Echo answers its trigger with an event.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		os.Exit(1)
	}
	fmt.Printf("{\"data\":{\"text\":\"hello\",\"length\":%d}}\n", len(line))
}
