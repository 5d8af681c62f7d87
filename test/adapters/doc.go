// Package adapters proves that the structural types of pkg/ready fit the real
// sources: client-go's informers, their DoneCheckers and handler registrations,
// controller-runtime's cache, krt's collections and registrations.
package adapters
