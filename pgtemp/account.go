package pgtemp

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// account is a user of the system.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount returns the account to run the server as, because PostgreSQL
// refuses to run as root; nil when this process is not root.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if unknown := user.UnknownUserError(""); errors.As(err, &unknown) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		return newAccount(u)
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it: add one, or run as another user")
}

func newAccount(u *user.User) (*account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("id of user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group of user %s: %w", u.Username, err)
	}
	return &account{name: u.Username, uid: uint32(uid), gid: uint32(gid)}, nil
}
