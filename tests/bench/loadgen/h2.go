package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// The little of HTTP/2 (RFC 9113) that gRPC calls need, by hand: server and
// generator share the machine, and a full client would take most of it.

const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameWindowUpdate = 8

	flagEndStream  = 1
	flagAck        = 1
	flagEndHeaders = 4
	flagPadded     = 8

	frameHeadSize = 9
	grpcHeadSize  = 5
	ourWindow     = 1 << 30 // what we let the server send
	windowStep    = 1 << 24 // how much we take before we give it back
	theirWindow   = 65535   // what the server lets us send at the start
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

var (
	errTrailersOnly = errors.New("the call ended without a message")
	errNoCredit     = errors.New("the server gives no credit to send")
)

type frame struct {
	kind, flags byte
	stream      uint32
	body        []byte // valid until the next frame is read
}

// h2 is one connection. Writing is locked; reading belongs to one goroutine.
type h2 struct {
	conn   net.Conn
	reader *bufio.Reader
	body   []byte
	taken  int // bytes read since the last window update
	write  sync.Mutex
	output []byte
	next   uint32
	known  bool // the header table of the server holds our four headers
	credit int  // bytes that the server lets us send
}

func dialH2(address string) (*h2, error) {
	conn, err := dialTCP(address)
	if err != nil {
		return nil, err
	}
	h := &h2{conn: conn, reader: bufio.NewReaderSize(conn, 4096), next: 1, credit: theirWindow}
	out := []byte(preface)
	out = appendFrame(out, frameSettings, 0, 0, 12)
	out = append(out, 0, 2, 0, 0, 0, 0) // no server push
	out = append(out, 0, 4)             // window of each stream
	out = binary.BigEndian.AppendUint32(out, ourWindow)
	out = appendWindowUpdate(out, ourWindow-theirWindow)
	if _, err = conn.Write(out); err != nil {
		conn.Close()
		return nil, err
	}
	return h, nil
}

func appendFrame(to []byte, kind, flags byte, stream uint32, size int) []byte {
	to = append(to, byte(size>>16), byte(size>>8), byte(size), kind, flags)
	return binary.BigEndian.AppendUint32(to, stream)
}

func appendWindowUpdate(to []byte, size uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(to, frameWindowUpdate, 0, 0, 4), size)
}

func text(to []byte, text string) []byte {
	return append(append(to, byte(len(text))), text...)
}

// headers is the HPACK block (RFC 7541) of a call: the first one puts path, authority,
// content type and te into the table, as real clients do; later ones name them by number.
func (h *h2) headers(to []byte, path string) []byte {
	to = append(to, 0x83, 0x86) // POST, http
	if !h.known {
		h.known = true
		to = text(append(to, 0x44), path)
		to = text(append(to, 0x41), "127.0.0.1")
		to = text(append(to, 0x5f), "application/grpc")
		return text(text(append(to, 0x40), "te"), "trailers")
	}
	if path == pathUnary {
		to = append(to, 0xc1)
	} else {
		to = text(append(to, 0x04), path)
	}
	return append(to, 0xc0, 0xbf, 0xbe)
}

// send starts a stream with one message. With `end` it is a whole unary call.
// errNoCredit: nothing was sent; frames have to be read first.
func (h *h2) send(path string, message []byte, end bool) (stream uint32, err error) {
	h.write.Lock()
	defer h.write.Unlock()
	if h.credit < grpcHeadSize+len(message) {
		return 0, errNoCredit
	}
	stream = h.next
	h.next += 2
	out := appendFrame(h.output[:0], frameHeaders, flagEndHeaders, stream, 0)
	out = h.headers(out, path)
	out[2] = byte(len(out) - frameHeadSize)
	return stream, h.sendData(out, stream, message, end)
}

// more sends another message on a stream that is open; errors as those of send.
func (h *h2) more(stream uint32, message []byte) error {
	h.write.Lock()
	defer h.write.Unlock()
	if h.credit < grpcHeadSize+len(message) {
		return errNoCredit
	}
	return h.sendData(h.output[:0], stream, message, false)
}

func (h *h2) sendData(out []byte, stream uint32, message []byte, end bool) error {
	var flags byte
	if end {
		flags = flagEndStream
	}
	size := grpcHeadSize + len(message)
	out = appendFrame(out, frameData, flags, stream, size)
	out = binary.BigEndian.AppendUint32(append(out, 0), uint32(len(message)))
	h.output = append(out, message...)
	h.credit -= size
	_, err := h.conn.Write(h.output)
	return err
}

// read returns the next frame that concerns a stream; it handles the others.
func (h *h2) read() (f frame, err error) {
	for {
		var head [frameHeadSize]byte
		if _, err = io.ReadFull(h.reader, head[:]); err != nil {
			return f, err
		}
		size := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		f = frame{head[3], head[4], binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1), nil}
		if cap(h.body) < size {
			h.body = make([]byte, size)
		}
		f.body = h.body[:size]
		if _, err = io.ReadFull(h.reader, f.body); err != nil {
			return f, err
		}
		switch f.kind {
		case frameData:
			if f.flags&flagPadded != 0 {
				return f, errors.New("padded DATA")
			}
			return f, h.take(size)
		case frameHeaders, frameReset:
			return f, nil
		case frameGoAway:
			return f, fmt.Errorf("GOAWAY %.100q", f.body)
		default:
			if err = h.control(f); err != nil {
				return f, err
			}
		}
	}
}

func (h *h2) take(size int) error {
	if h.taken += size; h.taken < windowStep {
		return nil
	}
	update := appendWindowUpdate(nil, uint32(h.taken))
	h.taken = 0
	return h.raw(update)
}

func (h *h2) control(f frame) error {
	switch {
	case f.kind == frameSettings && f.flags&flagAck == 0:
		return h.raw(appendFrame(nil, frameSettings, flagAck, 0, 0))
	case f.kind == framePing && f.flags&flagAck == 0:
		return h.raw(append(appendFrame(nil, framePing, flagAck, 0, 8), f.body...))
	case f.kind == frameWindowUpdate && f.stream == 0 && len(f.body) == 4:
		h.write.Lock()
		h.credit += int(binary.BigEndian.Uint32(f.body) & (1<<31 - 1))
		h.write.Unlock()
	}
	return nil
}

func (h *h2) raw(bytes []byte) error {
	h.write.Lock()
	defer h.write.Unlock()
	_, err := h.conn.Write(bytes)
	return err
}
