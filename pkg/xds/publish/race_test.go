//go:build race

package publish_test

// slower is how many times fewer schedules are tried with the race detector.
const slower = 5
