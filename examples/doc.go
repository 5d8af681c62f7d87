// Package examples is where the example programs are checked: each directory
// embed-X has a program with the gate, and in before/ the same program without
// it. The tests here count what the gate adds; those in ../test/examples start
// the programs.
package examples
