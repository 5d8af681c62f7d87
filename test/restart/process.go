package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that was started here and is ended here.
type process struct {
	command *exec.Cmd
	log     string        // file of what it prints
	ended   chan struct{} // closed when it has exited
	err     error         // how it exited; for who waits for ended
}

// start starts a program whose output goes to the end of the log.
func start(ctx context.Context, log, path string, arguments ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the program has its own
	p := &process{command: exec.CommandContext(ctx, path, arguments...), log: log, ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = file, file
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = p.command.Wait()
	}()
	return p, nil
}

// signal sends a signal; a process that has ended by itself is a fault that the
// next wait tells.
func (p *process) signal(s syscall.Signal) { _ = p.command.Process.Signal(s) }

// wait waits until the process has ended.
func (p *process) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended: %w", p.command.Path, ctx.Err())
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// alive returns an error, with the end of the log, once the process has ended.
func (p *process) alive() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	const enough = 2000
	log, err := os.ReadFile(p.log)
	return errors.Join(fmt.Errorf("%s has ended: %w\n%s", filepath.Base(p.command.Path), p.err, log[max(0, len(log)-enough):]), err)
}

// asking makes a connection for each request, as the kubelet does.
var asking = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get returns the answer to one request.
func get(ctx context.Context, url string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := asking.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}
