// Package dir reads Envoy resources from a directory of files, once ([Load])
// or for as long as a program runs ([Source]).
//
// # Files
//
// A file is in the format of Envoy's own file subscriptions: one
// DiscoveryResponse in YAML or JSON, with the resources under "resources",
// each with its "@type". One file may mix types, so that the rename of one
// file is one atomic change. Every other field of a DiscoveryResponse
// (version_info, nonce, …) is accepted and ignored: versions come from content.
// A file is UTF-8 text of at most 16 MiB and 200 levels, without YAML aliases.
// One that is named .json is read as JSON, all others as YAML.
//
// Names ending in .yaml, .yml or .json are read unless they start with a dot.
// That rule leaves out what editors and tools put beside a file (x.yaml~,
// .#x.yaml, #x.yaml#, .x.yaml.swp, 4913, x.yaml.tmp, x.yaml.bak) and the
// ..data and ..2026_… directories of a mounted ConfigMap; the symbolic links
// to what is in them are followed.
//
// Replace a file by renaming a new one over it. A file that is written in place
// is read when it has come to rest; a writer that pauses for longer than
// [Options].Debounce is seen half done, and half of a YAML file can be a good
// one.
//
// # Node groups
//
// With grouping [All] there is one group, named "all", of PATH/*.yaml. With
// [ByCluster] and [ByID] each subdirectory is a group, even an empty one:
// PATH/*.yaml overlaid by PATH/GROUP/*.yaml, where the group's resource
// replaces the one of same type and name above it. Two resources of one type
// and name in one layer are a fault. Deeper directories are not read.
//
// # Faults
//
// Nothing is taken from a directory with a fault in it, and all faults are
// reported, not the first alone: see [Errors].
package dir
