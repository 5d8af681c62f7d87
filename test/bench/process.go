package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// What is measured from outside runs in a process of its own, which is this
// program once more with two arguments: its role and what that needs to know. The
// processes talk in JSON, a value a line; a child ends with its input.
var roles = map[string]func(ctx context.Context, config string, in io.Reader, out io.Writer) error{
	serverArgument: serveProcess,
	fanoutArgument: runFanoutServer,
	clientArgument: runFanoutClient,
}

// serverArgument starts a server whose memory is measured. Behind it stands the
// kind of server. The process says its address; then for each number of streams
// it reads, it waits until it has as many and says how much memory it has.
const serverArgument = "internal-server"

// memory is what a server process has, in bytes.
type memory struct {
	InUse    uint64 `json:"inUse"`    // by the heap and the stacks of goroutines, after a garbage collection
	Resident uint64 `json:"resident"` // by the process, in main memory
}

func serveProcess(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	server, err := newStreamServer(kind)
	if err != nil {
		return err
	}
	defer server.stop()
	address, stop, err := serve(ctx, server.grpc, server.wrap)
	if err != nil {
		return err
	}
	defer stop()
	if err := json.NewEncoder(out).Encode(address); err != nil {
		return err
	}
	return answerEach(in, out, func(streams int) (memory, error) {
		if err := until(ctx, func() bool { return server.waiting() == streams }); err != nil {
			return memory{}, fmt.Errorf("%d of %d streams wait: %w", server.waiting(), streams, err)
		}
		return measureMemory()
	})
}

// answerEach answers questions until the input ends.
func answerEach[Q, A any](in io.Reader, out io.Writer, answer func(Q) (A, error)) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q Q
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := answer(q)
		if err != nil {
			return err
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// runRole is a child process from its arguments to its end.
func runRole(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("%s is how this program starts itself and no command", args[0])
	}
	return roles[args[0]](ctx, args[1], in, out)
}

// measureMemory measures this process, with all garbage given back first.
func measureMemory() (memory, error) {
	runtime.GC() // a sync.Pool lets go in the second of two collections
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	resident, err := residentBytes()
	return memory{InUse: stats.HeapInuse + stats.StackInuse, Resident: resident}, err
}

// residentBytes is the present resident set of this process.
func residentBytes() (uint64, error) { return procBytes(ownStatus, "VmRSS") }

// peakBytes is the largest resident set that this process has had since resetPeak.
func peakBytes() (uint64, error) { return procBytes(ownStatus, "VmHWM") }

// resetPeak gives back all garbage and lets peakBytes begin anew.
func resetPeak() error {
	debug.FreeOSMemory()
	const highWaterMark = "5" // of the things that Linux can clear
	return os.WriteFile("/proc/self/clear_refs", []byte(highWaterMark), 0)
}

// ownStatus has what Linux says of this process.
const ownStatus = "/proc/self/status"

// procBytes reads a line "name: number kB" of a file that only Linux has.
func procBytes(path, name string) (uint64, error) {
	status, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("memory of the process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		var kib uint64
		if _, err := fmt.Sscanf(line, name+": %d kB", &kib); err == nil {
			return kib * 1024, nil
		}
	}
	return 0, fmt.Errorf("memory of the process: no %s in %s", name, path)
}

// child is a child process as seen from here.
type child struct {
	role      string
	command   *exec.Cmd
	questions *json.Encoder
	input     io.Closer // of the child, which ends with it
	answers   *json.Decoder
}

// startChild starts a child process. The caller stops it.
func startChild(ctx context.Context, role, config string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return converse(role, exec.CommandContext(ctx, program, role, config))
}

// converse starts a command that talks as a child process does.
func converse(role string, command *exec.Cmd) (*child, error) {
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &child{
		role: role, command: command, questions: json.NewEncoder(in), input: in,
		answers: json.NewDecoder(bufio.NewReader(out)),
	}, nil
}

// ask sends a question and waits for the answer.
func (c *child) ask(question, answer any) error {
	if err := c.questions.Encode(question); err != nil {
		return fmt.Errorf("asking %s: %w", c.role, err)
	}
	return c.hear(answer)
}

// hear waits for what the process says.
func (c *child) hear(answer any) error {
	if err := c.answers.Decode(answer); err != nil {
		return fmt.Errorf("answer of %s: %w", c.role, err)
	}
	return nil
}

// stop ends the process and waits for that.
func (c *child) stop() error {
	_ = c.input.Close() // the process may have ended by itself, which Wait tells
	if err := c.command.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.role, err)
	}
	return nil
}

// serverProcess is a server process as seen from here.
type serverProcess struct {
	*child
	address string
}

// startServer starts a server process that first says its address. The caller
// stops it.
func startServer(ctx context.Context, role, config string) (*serverProcess, error) {
	c, err := startChild(ctx, role, config)
	if err != nil {
		return nil, err
	}
	s := &serverProcess{child: c}
	if err := s.hear(&s.address); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// measure returns the memory of the process once it has that many streams.
func (s *serverProcess) measure(streams int) (m memory, err error) {
	err = s.ask(streams, &m)
	return m, err
}
