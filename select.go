package rowsync

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/model"
)

// Select chooses rows of a model's table.
type Select struct {
	// Where is a condition in SQL on the table's columns, with parameters $1,
	// $2, … for Args; "" chooses every row. A Live over it hears of changes of
	// the model's own table: a condition that reads other tables, or the time,
	// is decided anew only then.
	Where string
	// Args are the parameters. A Live uses them for as long as it runs. It has
	// copies of its own of those that [Query] can compare; others must not be
	// altered.
	Args []any
	// OrderBy is what follows ORDER BY in SQL. Rows that it does not tell apart,
	// or all if it is "", come in order of the primary key.
	OrderBy string
	// Limit is how many rows there are at most; 0 is no limit.
	Limit int
	// Offset is how many rows are left out at the beginning. PostgreSQL reads
	// them all the same.
	Offset int
	// With names the associations to load and keep in step, see [With].
	With []string
}

// check returns what is wrong with a Select that can be seen without a database.
func (s Select) check() error {
	var errs []error
	if s.Limit < 0 {
		errs = append(errs, fmt.Errorf("Select.Limit is %d: give how many rows there are at most, or 0 for no limit", s.Limit))
	}
	if s.Offset < 0 {
		errs = append(errs, fmt.Errorf("Select.Offset is %d: give how many rows are left out at the beginning, or 0 for none", s.Offset))
	}
	return errors.Join(errs...)
}

// clause is what follows FROM. What comes from the caller ends its line, so that
// a comment in it ends there too.
func (s Select) clause(m *model.Model) string {
	var b strings.Builder
	if s.Where != "" {
		fmt.Fprintf(&b, "where (%s\n) ", s.Where)
	}
	b.WriteString("order by ")
	if s.OrderBy != "" {
		fmt.Fprintf(&b, "%s\n, ", s.OrderBy)
	}
	for i, c := range m.Key {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("t." + quoteIdent(c.Name))
	}
	if s.Limit > 0 {
		fmt.Fprintf(&b, " limit %d", s.Limit)
	}
	if s.Offset > 0 {
		fmt.Fprintf(&b, " offset %d", s.Offset)
	}
	return b.String()
}

// explain adds to the error of a statement with the Select what to do about it.
func (s Select) explain(err error, m *model.Model) error {
	const undefinedColumn = "42703"
	if n, ok := s.parameters(); ok && n != len(s.Args) {
		return fmt.Errorf("%w: the highest parameter of Select.Where and OrderBy is $%d, and there are %d Args: give one for each from $1 on",
			err, n, len(s.Args))
	}
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return err
	case pg.Code == undefinedColumn:
		return fmt.Errorf("%w: in Select.Where and OrderBy, name columns as table %s.%s has them, such as %s",
			err, m.Schema, m.Table, strings.Join(columnNames(m.Columns), ", "))
	case strings.HasPrefix(pg.Code, "42"), strings.HasPrefix(pg.Code, "22"): // wrong SQL, or a value that is
		return fmt.Errorf("%w: this came of Select.Where, OrderBy and Args: select … %s", err, strings.Join(strings.Fields(s.clause(m)), " "))
	}
	return err
}

var parameter = regexp.MustCompile(`\$(\d+)`)

// parameters returns the highest parameter that the SQL names, or 0; false if
// Args say by other means what the parameters are. It takes what only looks like
// a parameter, in a string for example, for one: it serves error messages alone.
func (s Select) parameters() (highest int, ok bool) {
	for _, arg := range s.Args {
		switch arg.(type) {
		case pgx.QueryRewriter, pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			return 0, false
		}
	}
	for _, found := range parameter.FindAllStringSubmatch(s.Where+" "+s.OrderBy, -1) {
		if n, err := strconv.Atoi(found[1]); err == nil {
			highest = max(highest, n)
		}
	}
	return highest, true
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
