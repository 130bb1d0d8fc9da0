package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/pgtrigger"
)

const aboutList = `Lists the definitions that are installed: which table each captures, what of it,
its triggers, and which sessions read it now.`

func runList(ctx context.Context, args []string, std cli.Streams) error {
	var (
		b            base
		all, asJSON  bool
		names, other []string
	)
	flags := flag.NewFlagSet("triggers list", flag.ContinueOnError)
	b.register(flags)
	flags.BoolVar(&all, "all", false, "list every namespace that there is in the database")
	flags.BoolVar(&asJSON, "json", false, "print one JSON array")
	if err := errors.Join(cli.Parse(flags, args, std, aboutList), b.check()); err != nil {
		return err
	}
	if all && cli.IsSet(flags, "namespace") {
		return cli.Usagef("--all and --namespace exclude each other")
	}
	pool, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	there, err := namespaces(ctx, pool)
	if err != nil {
		return err
	}
	if names, other = []string{b.namespace}, there; all {
		names, other = there, nil
	}
	other = slices.DeleteFunc(slices.Clone(other), func(name string) bool { return name == b.namespace })

	var lists []listed
	for _, name := range names {
		list, err := source(pool, name).Installed(ctx)
		if err != nil {
			return err
		}
		lists = append(lists, listed{name, list})
	}
	if asJSON {
		return printJSON(std.Out, lists)
	}
	for i, l := range lists {
		if i > 0 {
			linef(std.Out, "")
		}
		l.print(std.Out)
	}
	if all && len(lists) == 0 {
		linef(std.Out, "Nothing is installed in this database.")
	}
	if len(other) > 0 {
		linef(std.Out, "\nThere are other namespaces, which --all lists too: %s", strings.Join(other, ", "))
	}
	return nil
}

// namespaces returns the names of all that there are in the database.
func namespaces(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `
		select distinct n.nspname from (
			select pronamespace from pg_catalog.pg_proc
			where proname like 'capture!_%' escape '!' and obj_description(oid, 'pg_proc') like '{"rowsync":%'
			union all
			select relnamespace from pg_catalog.pg_class
			where relname = 'journal' and obj_description(oid, 'pg_class') like '{"rowsync":%'
		) as o(namespace) join pg_catalog.pg_namespace n on n.oid = o.namespace order by 1`)
	if err != nil {
		return nil, fmt.Errorf("read which namespaces there are: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// listed is what a namespace has installed.
type listed struct {
	namespace string
	list      []pgtrigger.Installed
}

func (l *listed) print(w io.Writer) {
	if len(l.list) == 0 {
		linef(w, "Namespace %s: nothing is installed.", l.namespace)
		return
	}
	linef(w, "Namespace %s: %s", l.namespace, plural(len(l.list), "definition"))
	for i := range l.list {
		linef(w, "\n%s", describe(&l.list[i]))
	}
}

// describe says all about a definition, in several lines.
func describe(i *pgtrigger.Installed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s.%s", i.Schema, i.Table)
	if !i.TableExists {
		b.WriteString(" (the table is gone)")
	}
	row := func(name, text string) { fmt.Fprintf(&b, "\n    %-11s %s", name, text) }
	row("definition", i.Definition)
	row("key", strings.Join(i.Key, ", "))
	if len(i.Columns) > 0 {
		row("columns", strings.Join(i.Columns, ", "))
	}
	if len(i.Compared) > 0 {
		row("compared", strings.Join(i.Compared, ", "))
	}
	row("operations", strings.ReplaceAll(i.Ops.String(), "|", ", "))
	row("function", i.Function)
	row("triggers", sayTriggers(i))
	row("read by", sayReaders(i.Readers))
	return b.String()
}

func sayTriggers(i *pgtrigger.Installed) string {
	if len(i.Triggers) == 0 {
		return "none"
	}
	var texts []string
	for _, t := range i.Triggers {
		text := t.Name
		if t.Schema != i.Schema || t.Table != i.Table {
			text += " on " + t.Schema + "." + t.Table
		}
		if !t.Enabled {
			text += " (disabled)"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "\n"+strings.Repeat(" ", 16))
}

func sayReaders(readers []pgtrigger.Reader) string {
	if len(readers) == 0 {
		return "nobody"
	}
	texts := make([]string, len(readers))
	for i, r := range readers {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}

// definition is a definition as JSON.
type definition struct {
	Namespace   string    `json:"namespace"`
	Definition  string    `json:"definition"`
	Schema      string    `json:"schema"`
	Table       string    `json:"table"`
	TableExists bool      `json:"table_exists"`
	Key         []string  `json:"key"`
	Columns     []string  `json:"columns"`
	Compared    []string  `json:"compared"`
	Operations  []string  `json:"operations"`
	Function    string    `json:"function"`
	Triggers    []trigger `json:"triggers"`
	Readers     []reader  `json:"readers"`
}

type trigger struct {
	Name    string `json:"name"`
	Schema  string `json:"schema"`
	Table   string `json:"table"`
	Enabled bool   `json:"enabled"`
}

type reader struct {
	PID         int        `json:"pid"`
	User        string     `json:"user"`
	Application string     `json:"application_name"`
	Address     string     `json:"address,omitempty"`
	Since       *time.Time `json:"since,omitempty"`
}

func printJSON(w io.Writer, lists []listed) error {
	out := []definition{}
	for _, l := range lists {
		for _, i := range l.list {
			d := definition{
				Namespace: l.namespace, Definition: i.Definition, Schema: i.Schema, Table: i.Table, TableExists: i.TableExists,
				Key: notNil(i.Key), Columns: notNil(i.Columns), Compared: notNil(i.Compared),
				Operations: strings.Split(i.Ops.String(), "|"), Function: i.Function, Triggers: []trigger{}, Readers: []reader{},
			}
			for _, t := range i.Triggers {
				d.Triggers = append(d.Triggers, trigger(t))
			}
			for _, r := range i.Readers {
				one := reader{PID: r.PID, User: r.User, Application: r.Application, Address: r.Address}
				if !r.Since.IsZero() {
					one.Since = &r.Since
				}
				d.Readers = append(d.Readers, one)
			}
			out = append(out, d)
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// notNil makes an array of what JSON would show as null.
func notNil(list []string) []string { return append([]string{}, list...) }
