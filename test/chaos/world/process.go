package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience bounds every wait for a program that must do something.
const patience = 30 * time.Second

// process is a running program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended; then err says how
	err   error
}

// start runs a program; what it prints is added to the file log.
func start(ctx context.Context, log string, command ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	// Its end is up to the schedule and to Close, not to the context's.
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// signal sends a signal, if the process has not ended.
func (p *process) signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// end signals the process and waits for its end. It is an error if it takes too
// long, and is killed, or ends after SIGTERM with another code than 0.
func (p *process) end(signal syscall.Signal) error {
	if err := p.signal(signal); err != nil {
		return err
	}
	select {
	case <-p.ended:
		if signal == syscall.SIGTERM && p.err != nil {
			return fmt.Errorf("%s ended after %v: %w", p.cmd.Path, signal, p.err)
		}
		return nil
	case <-time.After(patience):
		_ = p.cmd.Process.Kill() // an error means that it has ended
		<-p.ended
		return fmt.Errorf("%s did not end within %v of %v", p.cmd.Path, patience, signal)
	}
}
