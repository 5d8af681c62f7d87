// Package peers tests how replicas look at each other as their users see it: the
// built program, several at a time on loopback.
package peers
