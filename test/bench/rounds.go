package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// subject measures one side once and returns its numbers, always as many.
type subject func(ctx context.Context) ([]float64, error)

// alternate measures each subject once a round and returns for each subject the
// medians of its numbers. The rounds make whatever else the machine does meet
// all subjects; their order is random, because what the machine does is often
// periodic and would else meet always the same one.
func alternate(ctx context.Context, p *progress, rounds int, subjects ...subject) ([][]float64, error) {
	samples := make([][][]float64, len(subjects)) // by subject, number, round
	for round := range rounds {
		p.tick("round %d of %d", round+1, rounds)
		for _, i := range rand.Perm(len(subjects)) {
			numbers, err := subjects[i](ctx)
			if err != nil {
				return nil, err
			}
			if round == 0 {
				samples[i] = make([][]float64, len(numbers))
			}
			for j, number := range numbers {
				samples[i][j] = append(samples[i][j], number)
			}
		}
	}
	medians := make([][]float64, len(subjects))
	for i, numbers := range samples {
		for _, rounds := range numbers {
			medians[i] = append(medians[i], percentile(rounds, 50))
		}
	}
	return medians, nil
}

// percentile returns the smallest sample that percent of the samples do not
// exceed. It sorts the samples.
func percentile(samples []float64, percent int) float64 {
	slices.Sort(samples)
	rank := (len(samples)*percent + 99) / 100 // rounded up
	return samples[max(rank, 1)-1]
}

// perCall returns a subject that measures how long one call of something takes,
// in nanoseconds. loop(n) calls it n times; n grows until that takes length.
//
// length is short on purpose, less than the time slice of a scheduler: even on a
// machine that is shared by many, most of many short rounds run undisturbed,
// and the median is one of those.
func perCall(length time.Duration, loop func(n int)) subject {
	n := 1
	return func(context.Context) ([]float64, error) {
		for {
			began := time.Now()
			loop(n)
			took := time.Since(began)
			if took >= length {
				return []float64{float64(took.Nanoseconds()) / float64(n)}, nil
			}
			n *= 2
		}
	}
}

// allocationsPerCall returns how many allocations one call of something takes.
// Those that loop makes for itself do not count.
func allocationsPerCall(loop func(n int)) float64 {
	const calls = 100
	allocations := func(n int) float64 { return testing.AllocsPerRun(10, func() { loop(n) }) }
	return math.Round((allocations(1+calls) - allocations(1)) / calls)
}

// progress says on standard error what is being measured.
type progress struct {
	w     io.Writer
	began time.Time
	last  time.Time
}

func newProgress(w io.Writer) *progress { return &progress{w: w, began: time.Now()} }

// say writes a line.
func (p *progress) say(format string, args ...any) {
	p.last = time.Now()
	fmt.Fprintf(p.w, "[%5.1f s] %s\n", p.last.Sub(p.began).Seconds(), fmt.Sprintf(format, args...))
}

// tick is say, unless the last line is less than 2 s old.
func (p *progress) tick(format string, args ...any) {
	if time.Since(p.last) >= 2*time.Second {
		p.say("  "+format, args...)
	}
}
