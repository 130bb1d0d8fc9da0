package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		args     string
		status   int
		out, err string // what stdout and stderr contain; "" for nothing at all
	}{
		{"", 2, "", "Usage: rowsync <subcommand>"},
		{"help", 0, "demo", ""},
		{"--help", 0, "demo", ""},
		{"dmeo", 2, "", `no subcommand "dmeo"`},
		{"demo -h", 0, "--database-url url", ""},
		{"demo --wirters 3", 2, "", "flag provided but not defined: -wirters"},
		{"demo --writers 0", 2, "", "--writers is 0: give 1 to 64"},
		{"demo --writers many", 2, "", `invalid value "many" for flag -writers`},
		{"demo --rate -1", 2, "", "--rate is -1: give 1 to 100000"},
		{"demo --for 10", 2, "", `invalid value "10" for flag -for`},
		{"demo --for -3s", 2, "", "--for is -3s: give at least 1s"},
		{"demo 10s", 2, "", `unexpected argument "10s"`},
		{"demo --database-url localhost/db", 2, "", "--database-url: not the URL of a PostgreSQL server"},
		{"demo --database-url=", 2, "", "--database-url: not the URL of a PostgreSQL server"},
		{"demo --database-url postgres://u:secret@host:port/db", 2, "", "--database-url: malformed"},
		{"demo --database-url postgres:///db?host=/nowhere&user=me", 1, "", "/nowhere"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var out, errs bytes.Buffer
			status := run(t.Context(), strings.Fields(c.args), cli.Streams{Out: &out, Err: &errs})
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			check(t, "stdout", out.String(), c.out)
			check(t, "stderr", errs.String(), c.err)
			if strings.Contains(errs.String(), "secret") {
				t.Errorf("stderr repeats the password: %s", &errs)
			}
		})
	}
}

func check(t *testing.T, name, got, want string) {
	t.Helper()
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}
