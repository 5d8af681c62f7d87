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

// A server whose memory is measured runs in a process of its own, which is this
// program once more with two arguments: serverArgument and the kind of server.
// The two processes talk in JSON, a value a line: the server says its address;
// then for each number of streams it reads on standard input, it waits until it
// has as many and says how much memory it has. It ends with its input.
const serverArgument = "internal-server"

// memory is what a server process has, in bytes.
type memory struct {
	InUse    uint64 `json:"inUse"`    // by the heap and the stacks of goroutines, after a garbage collection
	Resident uint64 `json:"resident"` // by the process, in main memory
}

// serveProcess is the server process; args are those behind serverArgument.
func serveProcess(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%s is how this program starts itself and no command", serverArgument)
	}
	server, err := newStreamServer(args[0])
	if err != nil {
		return err
	}
	defer server.stop()
	address, stop, err := serve(ctx, server.grpc, server.wrap)
	if err != nil {
		return err
	}
	defer stop()

	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	if err := answers.Encode(address); err != nil {
		return err
	}
	for {
		var streams int
		if err := requests.Decode(&streams); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := until(ctx, func() bool { return server.waiting() == streams }); err != nil {
			return fmt.Errorf("%d of %d streams wait: %w", server.waiting(), streams, err)
		}
		m, err := measureMemory()
		if err != nil {
			return err
		}
		if err := answers.Encode(m); err != nil {
			return err
		}
	}
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

// residentBytes reads VmRSS, which only Linux has.
func residentBytes() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("resident set of the process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		var kib uint64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib * 1024, nil
		}
	}
	return 0, errors.New("resident set of the process: no VmRSS in /proc/self/status")
}

// serverProcess is a server process as seen from here.
type serverProcess struct {
	address  string
	command  *exec.Cmd
	requests io.WriteCloser
	answers  *json.Decoder
}

// startServer starts a server process. The caller stops it.
func startServer(ctx context.Context, kind string) (*serverProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, serverArgument, kind)
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
	s := &serverProcess{command: command, requests: in, answers: json.NewDecoder(bufio.NewReader(out))}
	if err := s.answers.Decode(&s.address); err != nil {
		return nil, errors.Join(fmt.Errorf("address of the server process: %w", err), s.stop())
	}
	return s, nil
}

// measure returns the memory of the process once it has that many streams.
func (s *serverProcess) measure(streams int) (m memory, err error) {
	if err := json.NewEncoder(s.requests).Encode(streams); err != nil {
		return memory{}, fmt.Errorf("asking the server process: %w", err)
	}
	if err := s.answers.Decode(&m); err != nil {
		return memory{}, fmt.Errorf("answer of the server process: %w", err)
	}
	return m, nil
}

// stop ends the process and waits for that.
func (s *serverProcess) stop() error {
	_ = s.requests.Close() // the process may have ended by itself, which Wait tells
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("server process: %w", err)
	}
	return nil
}
