package source

// Watermark is how far one input of a source is, in the API server's resource
// versions.
type Watermark struct {
	// Cluster is the UID of the namespace kube-system, "" if there is none:
	// resource versions of different clusters cannot be compared.
	Cluster string
	// Resource is the plural, as "httproutes".
	Resource string
	// Changed is the version of the newest change that was taken in, "" if there
	// was none.
	Changed string
	// Reached is the version up to which all changes were taken in, "" if nothing
	// was read yet. It also moves where nothing changes, and so is never older
	// than Changed.
	Reached string
}
