package pgtemp

import (
	"os"
	"syscall"
)

const sharedMemory = "/dev/shm"

// freeSharedMemory returns how many bytes are free in shared memory, 0 when
// nothing can be kept there.
func freeSharedMemory() uint64 {
	const sticky = os.ModeSticky | 0o777 // anyone may make folders
	info, err := os.Stat(sharedMemory)
	if err != nil || info.Mode()&sticky != sticky {
		return 0
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(sharedMemory, &fs); err != nil {
		return 0
	}
	return fs.Bavail * uint64(fs.Bsize)
}
