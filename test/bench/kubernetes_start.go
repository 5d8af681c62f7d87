package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// The numbers of a start, in order; those of the tiers are of xdsready only.
const (
	startTime      = iota // s, until the first 200
	startCPU              // s, used by then
	startRSS              // MB, after settling
	startPSS              // MB, after settling
	startPeak             // MB, largest resident set by then
	startInformers        // s
	startKrt              // s
	startSnapshot         // s
)

// start returns a subject that starts a program and measures its memory a fixed
// time later: nobody asks it to collect garbage.
func (l *lab) start(launch launcher, settling time.Duration) subject {
	return func(ctx context.Context) (numbers []float64, err error) {
		p, err := launch(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		took, err := p.awaitReady(ctx)
		if err != nil {
			return nil, err
		}
		used, err := p.cpu()
		if err != nil {
			return nil, err
		}
		if err := pause(ctx, time.Until(p.began.Add(settling))); err != nil {
			return nil, err
		}
		memory, err := p.memory()
		if err != nil {
			return nil, err
		}
		numbers = []float64{took.Seconds(), used.Seconds(), memory.rss, memory.pss, memory.peak}
		if !p.tiers {
			return numbers, nil
		}
		tiers, err := p.tierSeconds(ctx, "informers", "krt", "snapshot")
		return append(numbers, tiers...), err
	}
}

// pause waits, which is part of what is measured.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// residence is the main memory that a program has, in MB.
type residence struct{ rss, pss, peak float64 }

func (p *program) memory() (r residence, err error) {
	for _, of := range []struct {
		number     *float64
		file, name string
	}{{&r.rss, "status", "VmRSS"}, {&r.pss, "smaps_rollup", "Pss"}, {&r.peak, "status", "VmHWM"}} {
		size, err := procBytes(p.proc(of.file), of.name)
		if err != nil {
			return residence{}, err
		}
		*of.number = float64(size) / 1e6
	}
	return r, nil
}

// proc is the path of what Linux says of the program.
func (p *program) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.command.Process.Pid, file)
}

// cpu returns how much the program has used in user and kernel mode.
func (p *program) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, fmt.Errorf("CPU of the program: %w", err)
	}
	// Fields 14 and 15, counted from 1, in ticks of 10 ms. The second is a name in
	// parentheses, which may hold anything.
	_, after, _ := strings.Cut(string(stat), ") ")
	const user, kernel, tick = 14 - 3, 15 - 3, 10 * time.Millisecond
	var used time.Duration
	fields := strings.Fields(after)
	for _, i := range []int{user, kernel} {
		if i >= len(fields) {
			return 0, fmt.Errorf("CPU of the program: %q has too few fields", stat)
		}
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU of the program: %w", err)
		}
		used += time.Duration(ticks) * tick
	}
	return used, nil
}
