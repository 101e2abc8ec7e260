package mpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// answerTime is how long an answer may take.
	answerTime = 10 * time.Second

	// maxLines and maxLine bound an answer.
	maxLines = 10_000
	maxLine  = 64 << 10
)

// conn is a connection to an MPD server.
type conn struct {
	net.Conn
	in   *bufio.Reader
	part []byte // of a line that was cut by a deadline
}

// ackError is what a server answers to a command that it refuses.
type ackError string

func (e ackError) Error() string { return "the server says: " + string(e) }

// dial connects, and says the password if there is one.
func (c Config) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	socket, err := c.Dial(ctx, c.Network, c.Address)
	if err != nil {
		return nil, fmt.Errorf("connecting to MPD: %w", err)
	}
	n := &conn{Conn: socket, in: bufio.NewReader(socket)}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	greeting, err := n.line(answerTime)
	switch {
	case err != nil:
		err = fmt.Errorf("MPD at %s: %w", c.Address, err)
	case !strings.HasPrefix(greeting, "OK MPD "):
		err = fmt.Errorf("what answers at %s is not MPD", c.Address)
	case c.Password != "":
		if _, err = n.ask("password " + quote(c.Password)); err != nil {
			err = fmt.Errorf("MPD at %s: telling the password: %w", c.Address, err)
		}
	}
	stop()
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// closeWith closes the connection when ctx ends. The function that it returns
// closes it now.
func (n *conn) closeWith(ctx context.Context) (closed func()) {
	stop := context.AfterFunc(ctx, func() { n.Close() })
	return func() {
		stop()
		n.Close()
	}
}

// line reads a line, without its end. After a timeout it may be called again.
func (n *conn) line(within time.Duration) (string, error) {
	if err := n.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	for {
		piece, err := n.in.ReadSlice('\n')
		n.part = append(n.part, piece...)
		switch {
		case len(n.part) > maxLine:
			return "", errors.New("an answer has a line that is too long")
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return "", errors.New("the server has closed the connection")
		case err != nil:
			return "", err
		}
		line := strings.TrimSuffix(string(n.part), "\n")
		n.part = n.part[:0]
		return line, nil
	}
}

func (n *conn) send(command string) error {
	if err := n.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := io.WriteString(n, command+"\n")
	return err
}

// ask sends a command and returns the lines of its answer.
func (n *conn) ask(command string) (pairs, error) {
	if err := n.send(command); err != nil {
		return nil, err
	}
	var all pairs
	for range maxLines {
		line, err := n.line(answerTime)
		if err != nil {
			return nil, err
		}
		if ack, ok := strings.CutPrefix(line, "ACK "); ok {
			return nil, ackError(ack)
		}
		if line == "OK" {
			return all, nil
		}
		all = append(all, parsePair(line))
	}
	return nil, errors.New("an answer doesn't end")
}

// idle waits until something has changed, or for a while.
func (n *conn) idle(atMost time.Duration) error {
	if err := n.send("idle player playlist options"); err != nil {
		return err
	}
	within, asked := atMost, false
	for {
		line, err := n.line(within)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !asked:
			if err := n.send("noidle"); err != nil { // anything else ends the connection
				return err
			}
			within, asked = answerTime, true
		case err != nil:
			return err
		case strings.HasPrefix(line, "ACK "):
			return ackError(line[len("ACK "):])
		case line == "OK":
			return nil
		}
	}
}

// picture reads what a command gives in binary pieces; nothing where there is no
// picture or it is larger than most.
func (n *conn) picture(command, uri string, most int) (data []byte, mediaType string, err error) {
	for {
		if err := n.send(command + " " + quote(uri) + " " + strconv.Itoa(len(data))); err != nil {
			return nil, "", err
		}
		var head pairs
		piece := -1
		for piece < 0 {
			line, err := n.line(answerTime)
			switch {
			case err != nil:
				return nil, "", err
			case strings.HasPrefix(line, "ACK "), line == "OK": // there is none
				return nil, "", nil
			}
			head = append(head, parsePair(line))
			if value := head.get("binary"); value != "" {
				if piece, err = strconv.Atoi(value); err != nil || piece < 0 || piece > most {
					return nil, "", errors.New("a picture's size is wrong")
				}
			}
			if len(head) > maxLines {
				return nil, "", errors.New("an answer doesn't end")
			}
		}
		size, _ := strconv.Atoi(head.get("size"))
		mediaType = head.get("type")
		at := len(data)
		data = append(data, make([]byte, piece)...)
		if _, err := io.ReadFull(n.in, data[at:]); err != nil {
			return nil, "", err
		}
		for _, want := range []string{"", "OK"} {
			if line, err := n.line(answerTime); err != nil || line != want {
				return nil, "", errors.Join(errors.New("a picture's end is not where it should be"), err)
			}
		}
		switch {
		case size <= 0 || size > most, piece == 0 && len(data) < size:
			return nil, "", nil
		case len(data) >= size:
			return data, mediaType, nil
		}
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ", "\r", " ").Replace(s) + `"`
}

// pairs are the lines "Name: value" of an answer.
type pairs []pair

type pair struct{ name, value string }

func parsePair(line string) pair {
	name, value, _ := strings.Cut(line, ": ")
	return pair{name, value}
}

// get returns the value of the first line with that name.
func (p pairs) get(name string) string {
	for _, one := range p {
		if one.name == name {
			return one.value
		}
	}
	return ""
}

// all returns the values of every line with that name, joined: a song may have
// several artists.
func (p pairs) all(name string) string {
	var values []string
	for _, one := range p {
		if one.name == name && one.value != "" {
			values = append(values, one.value)
		}
	}
	return strings.Join(values, ", ")
}
