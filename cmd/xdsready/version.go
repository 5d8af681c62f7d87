package main

import "runtime/debug"

// release is set by the linker (-X main.release=v1.2.3) where the toolchain cannot
// know the version, as in a container image that is built without the git history.
var release string

// buildVersion is the release or, without one, the version that the Go toolchain
// recorded, with the commit where there is one.
func buildVersion() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && version == "(devel)" {
			version += " " + setting.Value
		}
	}
	return version
}
