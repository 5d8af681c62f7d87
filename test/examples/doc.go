// Package examples starts the programs of the module examples, each with the
// gate and without, and meets them as a kubelet and a proxy do.
package examples
