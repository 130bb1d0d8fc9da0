package tables

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// part is one of several that stand in one argument.
type part struct {
	text   string
	quoted bool
}

// split takes an argument apart at a separator. A part may stand in double
// quotes, where a quote is written twice, as in SQL; else it is taken literally.
func split(text string, separator byte) ([]part, error) {
	var parts []part
	for {
		one, rest, err := cut(text, separator)
		if err != nil {
			return nil, err
		}
		parts = append(parts, one)
		if rest == nil {
			return parts, nil
		}
		text = *rest
	}
}

// cut takes the first part off; rest is nil if it is the last.
func cut(text string, separator byte) (first part, rest *string, err error) {
	if !strings.HasPrefix(text, `"`) {
		before, after, more := strings.Cut(text, string(separator))
		if more {
			rest = &after
		}
		return part{text: before}, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '"':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '"':
			b.WriteByte('"')
			i++
		case i+1 == len(text):
			return part{b.String(), true}, nil, nil
		case text[i+1] == separator:
			after := text[i+2:]
			return part{b.String(), true}, &after, nil
		default:
			return part{}, nil, fmt.Errorf(`%q goes on after a closing quote: write a quote within quotes twice`, text)
		}
	}
	return part{}, nil, fmt.Errorf("%q lacks its closing quote", text)
}

// parseName reads the name of a table, with or without its schema.
func parseName(text string) (schema, name string, err error) {
	parts, err := split(text, '.')
	if err != nil {
		return "", "", err
	}
	switch len(parts) {
	case 1:
		parts = []part{{text: "public"}, parts[0]}
	case 2:
	default:
		return "", "", fmt.Errorf("%q has %d parts: give schema.name, and put a name with a dot in double quotes", text, len(parts))
	}
	if parts[0].text == "" || parts[1].text == "" {
		return "", "", errors.New("a name is empty: give name or schema.name")
	}
	return parts[0].text, parts[1].text, nil
}

// parseColumns reads a list of columns.
func parseColumns(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	parts, err := split(text, ',')
	if err != nil {
		return nil, err
	}
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.text
		if !p.quoted {
			names[i] = strings.TrimSpace(p.text)
		}
		if names[i] == "" {
			return nil, errors.New("a name is empty: give columns with commas between them")
		}
	}
	return names, nil
}

// quote writes a name so that [parseName] and [parseColumns] read it again.
func quote(name string) string {
	if name != "" && !strings.ContainsAny(name, `".,=`) && !strings.ContainsFunc(name, unicode.IsSpace) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ",")
}
