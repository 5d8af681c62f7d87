package kubernetes

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// cut is a filter that ends every answer before its first byte.
func cut(response *http.Response) { replaceBody(response, http.NoBody) }

// cutWatches is cut, of watches alone.
func cutWatches(response *http.Response) {
	if isWatch(response.Request.URL) {
		cut(response)
	}
}

// expired is a filter by which the API server has forgotten what a watch asks to
// go on from, as it does with all that is older than 5 minutes.
func expired(response *http.Response) {
	if isWatch(response.Request.URL) && !response.Request.URL.Query().Has("sendInitialEvents") {
		response.StatusCode, response.Header = http.StatusGone, http.Header{"Content-Type": {"application/json"}}
		replaceBody(response, io.NopCloser(strings.NewReader(
			`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}`)))
	}
}

func replaceBody(response *http.Response, with io.ReadCloser) {
	_ = response.Body.Close()
	response.Body = with
}

// holdAfter returns a filter that lets the first bytes of an answer pass, closes
// reached, and lets the rest pass once released is closed. It is for one answer.
func holdAfter(bytes int, reached chan<- struct{}, released <-chan struct{}) filter {
	var once sync.Once
	return func(response *http.Response) {
		response.Body = newPipeline(response.Body, func(passed int) <-chan struct{} {
			if passed < bytes {
				return nil
			}
			once.Do(func() { close(reached) })
			return released
		})
	}
}

// delayed is a filter that keeps each piece of an answer for up to 200 ms, and
// the order of the pieces.
func delayed(response *http.Response) {
	response.Body = newPipeline(response.Body, func(int) <-chan struct{} {
		due := make(chan struct{})
		time.AfterFunc(rand.N(200*time.Millisecond), func() { close(due) })
		return due
	})
}

// pipeline passes the pieces of an answer on when they are due.
type pipeline struct {
	body   io.ReadCloser
	pieces chan piece
	rest   []byte        // of the piece that is being read
	closed chan struct{} // by Close
}

// piece is what one read of the answer brought.
type piece struct {
	bytes []byte
	err   error
	due   <-chan struct{} // nil: at once
}

// newPipeline returns a pipeline; due is asked when each piece of it comes in,
// with the number of bytes before.
func newPipeline(body io.ReadCloser, due func(passed int) <-chan struct{}) *pipeline {
	p := &pipeline{body: body, pieces: make(chan piece, 100_000), closed: make(chan struct{})}
	go func() {
		for passed := 0; ; {
			buffer := make([]byte, 4096)
			n, err := body.Read(buffer)
			select {
			case p.pieces <- piece{buffer[:n], err, due(passed)}:
			case <-p.closed:
				return
			}
			if err != nil {
				return
			}
			passed += n
		}
	}()
	return p
}

// Read implements io.Reader.
func (p *pipeline) Read(to []byte) (int, error) {
	if len(p.rest) == 0 {
		next, err := p.next()
		if err != nil {
			return 0, err
		}
		p.rest = next
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// next returns the next piece when it is due.
func (p *pipeline) next() ([]byte, error) {
	var next piece
	select {
	case next = <-p.pieces:
	case <-p.closed:
		return nil, io.ErrClosedPipe
	}
	if next.due != nil {
		select {
		case <-next.due:
		case <-p.closed:
			return nil, io.ErrClosedPipe
		}
	}
	return next.bytes, next.err
}

// Close implements io.Closer.
func (p *pipeline) Close() error {
	close(p.closed)
	return p.body.Close()
}
