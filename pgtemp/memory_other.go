//go:build !linux

package pgtemp

const sharedMemory = ""

func freeSharedMemory() uint64 { return 0 }
