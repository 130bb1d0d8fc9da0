package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/pgtemp"
)

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		args     string
		status   int
		out, err string // what stdout and stderr contain; "" for nothing at all
	}{
		{"", 2, "", "Usage: rowsync <subcommand>"},
		{"help", 0, "  watch      tail the changes of tables\n  triggers   list,", ""},
		{"--help", 0, "demo", ""},
		{"help watch", 0, "Usage: rowsync watch [flags]", ""},
		{"help triggers clean", 0, "Usage: rowsync triggers clean [flags]", ""},
		{"help demo", 0, "Usage: rowsync demo [flags]", ""},
		{"dmeo", 2, "", `rowsync: there is no subcommand "dmeo"` + "\n\nUsage: rowsync <subcommand> [flags]\n\n  watch "},
		{"help dmeo", 2, "", `no subcommand "dmeo"`},
		{"version", 0, "rowsync ", ""},
		{"version 2", 2, "", `unexpected argument "2"`},

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

		{"watch -h", 0, "  --where-key key        of the table before", ""},
		{"watch", 2, "", "rowsync watch: no table is named: give at least one --table\nrowsync watch -h lists the flags.\n"},
		{"watch users", 2, "", `unexpected argument "users"`},
		{"watch --tabel users", 2, "", "flag provided but not defined: -tabel"},
		{"watch --table", 2, "", "flag needs an argument: -table"},
		{"watch --table=", 2, "", "a name is empty: give name or schema.name"},
		{"watch --table public.", 2, "", "a name is empty: give name or schema.name"},
		{"watch --table a.b.c", 2, "", `"a.b.c" has 3 parts: give schema.name, and put a name with a dot in double quotes`},
		{`watch --table "a.b`, 2, "", "lacks its closing quote"},
		{`watch --table "a"b`, 2, "", "goes on after a closing quote"},
		{"watch --columns a --table users", 2, "", "it stands before any --table"},
		{"watch --table users --columns a --columns b", 2, "", "it is given twice for table public.users: give one list"},
		{"watch --table users --columns a,,b", 2, "", "a name is empty: give columns with commas between them"},
		{"watch --table users --on upsert", 2, "", `"upsert" is no operation: give some of insert,update,delete`},
		{"watch --table users --on=", 2, "", `"" is no operation`},
		{"watch --table users --changed a --on insert,update", 2, "", "--table public.users: --changed goes with updates only"},
		{"watch --table users --on insert --where-key 1", 2, "", "--table public.users: --where-key with --on insert: a row has no key before"},
		{"watch --table users --where team_id", 2, "", "give column=value, or column=null"},
		{"watch --table users --where =7", 2, "", "give column=value, or column=null"},
		{`watch --table users --where name="x`, 2, "", `value "x: close its quote at the end`},
		{"watch --table users --for 10", 2, "", `invalid value "10" for flag -for`},
		{"watch --table users --for 0s", 2, "", "--for is 0s: give a time such as 10s"},
		{"watch --table users --count 0", 2, "", "--count is 0: give at least 1"},
		{"watch --table users --count -1", 2, "", `invalid value "-1" for flag -count`},
		{"watch --table users --namespace=", 2, "", "--namespace is empty"},
		{"watch --table users --namespace pg_x", 2, "", `--namespace is "pg_x": PostgreSQL keeps names that begin with pg_ for itself`},
		{"watch --table users --namespace " + strings.Repeat("x", 65), 2, "", "--namespace is 2 bytes longer than the 63"},
		{"watch --table users --quiet -v", 2, "", "--quiet and -v exclude each other"},
		{"watch --table users --database-url=", 2, "", "--database-url is empty: give one such as postgres://"},
		{"watch --table users --database-url localhost/db", 2, "", "--database-url: not the URL of a PostgreSQL server"},
		{"watch --table users --database-url postgres://u:secret@host:port/db", 2, "", "--database-url: malformed"},
		{"watch --table users --database-url postgres://u:secret@host/db?sslmode=maybe", 2, "", "--database-url: "},
		{"watch --table users --database-url postgres:///db?host=/nowhere&user=me", 1, "", "/nowhere"},

		{"triggers", 2, "", "Usage: rowsync triggers <subcommand>"},
		{"triggers help", 0, "  clean      remove what nobody reads", ""},
		{"triggers drop", 2, "", `rowsync triggers: there is no subcommand "drop"` + "\n\nUsage: rowsync triggers <subcommand> [flags]\n\n  list "},
		{"triggers list -h", 0, "Usage: rowsync triggers list [flags]", ""},
		{"triggers list --all --namespace x", 2, "", "rowsync triggers list: --all and --namespace exclude each other\nrowsync triggers list -h lists the flags.\n"},
		{"triggers list --namespace=", 2, "", "--namespace is empty"},
		{"triggers sql -h", 0, "rowsync.SQL", ""},
		{"triggers sql", 2, "", "no table is named: give at least one --table"},
		{"triggers sql --table users --where-key 1", 2, "", "flag provided but not defined: -where-key"},
		{"triggers sql --table users --lock-timeout 10ms", 2, "", "--lock-timeout is 10ms: give at least 1s"},
		{"triggers sql --table users --max-rows -1", 2, "", "--max-rows is -1: give at least 1"},
		{"triggers verify --table a.b.c", 2, "", "has 3 parts"},
		{"triggers clean", 2, "", "nobody can be asked, for the input is no terminal: give --yes to remove without asking"},
		{"triggers clean --yes --definition abc", 2, "", "it is no definition: give the 16 digits that rowsync triggers list shows"},
		{"triggers clean --yes --drop-namespace --definition 0123456789abcdef", 2, "", "--drop-namespace and --definition exclude each other"},
		{"triggers clean --yes --database-url postgres:///db?host=/nowhere&user=me", 1, "", "/nowhere"},
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

// TestWrongForTheDatabase: arguments that only the database knows to be wrong.
// Nothing is installed.
func TestWrongForTheDatabase(t *testing.T) {
	t.Parallel()
	url := pgtemp.Shared(t).Database(t, watchedSQL+`; create table keyless (a int); create view seen as select * from users;
		create table "Users" (id int primary key)`)
	for _, c := range []struct {
		args []string
		err  []string
	}{
		{[]string{"--table", "user"}, []string{"--table public.user: there is no such table; there are: public.Users, public.keyless, public.teams, public.users"}},
		{[]string{"--table", "app.USERS"}, []string{"--table app.USERS: there is no such table; there are: public.Users, public.users"}},
		{[]string{"--table", "no.such"}, []string{"--table no.such: there is no such table\n"}},
		{[]string{"--table", "keyless"}, []string{"--table public.keyless: it has no primary key: name the columns that identify a row with --key; it has: a"}},
		{[]string{"--table", "seen", "--key", "id"}, []string{"public.seen is a view: watch the tables that it reads"}},
		{[]string{"--table", "users", "--columns", "title,name,name", "--changed", "mail", "--table", "teams", "--key", "no"}, []string{
			`--table public.users: --columns: it has no column "title"; it has: id,name,email,team_id`,
			`--columns: column "name" is named twice`, `--changed: it has no column "mail"`, `--table public.teams: --key: it has no column "no"`,
		}},
		{[]string{"--table", "users", "--where", "tema=7"}, []string{`--table public.users: --where: it has no column "tema"`}},
		{[]string{"--table", "users", "--where", "team_id=red"}, []string{`--table public.users: --where team_id: invalid input syntax for type bigint: "red"`}},
		{[]string{"--table", "users", "--where-key", "1,2"}, []string{"--table public.users: --where-key has 2 values: give one for each column of the key, id, with commas"}},
		{[]string{"--table", "users", "--where-key", "one"}, []string{`--where-key: column id: invalid input syntax for type bigint: "one"`}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			_, errs := call(t, 2, append([]string{"watch", "--quiet", "--database-url", url}, c.args...)...)
			wantContains(t, "stderr", errs, c.err...)
		})
	}
	wantNothingLeft(t, url)
}

// TestConnection: which database is meant, in order.
func TestConnection(t *testing.T) {
	url := watchedDatabase(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"PGHOST": config.Host, "PGPORT": fmt.Sprint(config.Port), "PGUSER": config.User, "PGDATABASE": config.Database} {
		t.Setenv(name, value)
	}
	list := func(status int, args ...string) string {
		t.Helper()
		out, errs := call(t, status, append([]string{"triggers", "list"}, args...)...)
		return out + errs
	}
	list(0)
	t.Setenv("DATABASE_URL", "postgres://u:secret@host:port/db")
	wantText(t, "from DATABASE_URL", list(2), "rowsync triggers list: environment variable DATABASE_URL: malformed: give one such as postgres://user@host:5432/database\nrowsync triggers list -h lists the flags.\n")
	list(0, "--database-url", url)
	t.Setenv("DATABASE_URL", url)
	list(0)
	list(0, "--database-url", fmt.Sprintf("host=%s port=%d user=%s dbname=%s", config.Host, config.Port, config.User, config.Database))
}

func check(t *testing.T, name, got, want string) {
	t.Helper()
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}
