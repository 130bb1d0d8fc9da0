package triggers

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/remove"
	"github.com/rowsync/rowsync/pgtrigger"
)

const aboutClean = `Removes definitions that nobody reads: triggers and functions. It shows them
first and asks, on a terminal; elsewhere it needs --yes. What somebody reads is
never removed. A program that is not running at this moment reads nothing, and
installs what it needs again when it starts, if it may.

With --drop-namespace the schema goes too, with its journal, if nobody reads
any of it.`

// cleaning is what the flags of clean say.
type cleaning struct {
	base

	definitions []string
	yes, drop   bool
}

var definitionName = regexp.MustCompile(`^[0-9a-f]{16}$`)

func parseClean(args []string, std cli.Streams) (*cleaning, error) {
	var c cleaning
	flags := flag.NewFlagSet("triggers clean", flag.ContinueOnError)
	c.register(flags)
	flags.Func("definition", "only the definition of this `hash`, as rowsync triggers list shows it; repeatable", func(text string) error {
		if !definitionName.MatchString(text) {
			return errors.New("it is no definition: give the 16 digits that rowsync triggers list shows")
		}
		c.definitions = append(c.definitions, text)
		return nil
	})
	flags.BoolVar(&c.yes, "yes", false, "do not ask")
	flags.BoolVar(&c.drop, "drop-namespace", false, "remove the schema too, with its journal")
	if err := errors.Join(cli.Parse(flags, args, std, aboutClean), c.check()); err != nil {
		return nil, err
	}
	switch {
	case c.drop && c.definitions != nil:
		return nil, cli.Usagef("--drop-namespace and --definition exclude each other")
	case !c.yes && !std.InTerminal:
		return nil, cli.Usagef("nobody can be asked, for the input is no terminal: give --yes to remove without asking")
	}
	return &c, nil
}

func runClean(ctx context.Context, args []string, std cli.Streams) error {
	c, err := parseClean(args, std)
	if err != nil {
		return err
	}
	pool, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	src := source(pool, c.namespace)
	unused, used, err := c.choose(ctx, src)
	if err != nil {
		return err
	}
	there, err := namespaces(ctx, pool)
	if err != nil {
		return err
	}
	drop := c.drop && slices.Contains(there, c.namespace)
	c.show(std.Out, unused, used, drop)
	switch {
	case drop && len(used) > 0:
		return fmt.Errorf("namespace %s is read: end its readers before it is dropped, or leave out --drop-namespace", c.namespace)
	case len(unused) == 0 && !drop:
		if len(used) > 0 && c.definitions != nil {
			return cli.ErrFailed
		}
		return nil
	case !c.yes:
		if agreed, err := ask(ctx, std, "Remove it? [y/N] "); err != nil || !agreed {
			return err
		}
	}
	return c.remove(ctx, src, unused, drop, std.Out)
}

// choose returns which definitions are meant, by whether somebody reads them.
func (c *cleaning) choose(ctx context.Context, src *pgtrigger.Source) (unused, used []pgtrigger.Installed, err error) {
	list, err := src.Installed(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range c.definitions {
		if !slices.ContainsFunc(list, func(i pgtrigger.Installed) bool { return i.Definition == name }) {
			return nil, nil, fmt.Errorf("namespace %s has no definition %s: rowsync triggers list shows those it has", c.namespace, name)
		}
	}
	for _, i := range list {
		switch {
		case c.definitions != nil && !slices.Contains(c.definitions, i.Definition):
		case len(i.Readers) > 0:
			used = append(used, i)
		default:
			unused = append(unused, i)
		}
	}
	return unused, used, nil
}

// show says what stays and what would be removed.
func (c *cleaning) show(w io.Writer, unused, used []pgtrigger.Installed, drop bool) {
	for i := range used {
		linef(w, "%s.%s, definition %s, stays: it is read by %s", used[i].Schema, used[i].Table, used[i].Definition, sayReaders(used[i].Readers))
	}
	switch {
	case len(unused) > 0:
		linef(w, "Nobody reads, and so to be removed:")
		for i := range unused {
			linef(w, "\n%s", describe(&unused[i]))
		}
		if drop {
			linef(w, "\n  the schema %s with its journal", c.namespace)
		}
		linef(w, "")
	case drop && len(used) == 0:
		linef(w, "To be removed: the schema %s with its journal", c.namespace)
	case len(used) == 0:
		linef(w, "Namespace %s: there is nothing to remove.", c.namespace)
	}
}

// ask waits for an answer from In until ctx ends.
func ask(ctx context.Context, std cli.Streams, question string) (bool, error) {
	cli.Printf(std.Out, "%s", question)
	answer := make(chan string, 1)
	go func() {
		text, err := bufio.NewReader(std.In).ReadString('\n')
		if err != nil && text == "" {
			cli.Printf(std.Out, "\n")
		}
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case text := <-answer:
		if text == "y" || text == "yes" {
			return true, nil
		}
		linef(std.Out, "Nothing was removed.")
		return false, nil
	case <-ctx.Done():
		return false, errors.New("interrupted; nothing was removed")
	}
}

// remove removes definitions, and the namespace if drop says so.
func (c *cleaning) remove(ctx context.Context, src *pgtrigger.Source, unused []pgtrigger.Installed, drop bool, w io.Writer) error {
	var errs []error
	for i := range unused {
		errs = append(errs, remove.Definition(ctx, src, unused[i].Definition))
	}
	err := errors.Join(errs...)
	if len(unused) > 0 {
		failed := len(slices.DeleteFunc(errs, func(err error) bool { return err == nil }))
		linef(w, "Removed %s.", plural(len(unused)-failed, "definition"))
	}
	if err != nil || !drop {
		return err
	}
	if err := src.Drop(ctx); err != nil {
		return err
	}
	linef(w, "Removed the schema %s.", c.namespace)
	return nil
}
