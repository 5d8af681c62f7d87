// Package certificates makes the TLS configuration of the xDS server and keeps
// it up to date with its files, so that a certificate is renewed without a
// restart, which every proxy would notice.
//
// The three files are read as one: a handshake sees the certificate, key and
// client CA of one moment, all of them good. What cannot be used is reported,
// and the last good files keep serving.
//
// It is built on fsnotify's watcher and not on controller-runtime's
// certwatcher, which reads no client CA, tells of an unusable file in a
// process-wide log only, so that neither the status page nor a metric could
// show it, and starts a goroutine that nobody can wait for.
package certificates
