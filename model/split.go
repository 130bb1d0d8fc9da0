package model

import (
	"fmt"
	"strings"
)

// split cuts s at every sep that stands outside of quotes, parentheses and
// brackets. Joined by sep, the pieces are s again. It fails if a quote,
// parenthesis or bracket has no partner.
func split(s string, sep byte) ([]string, error) {
	var (
		pieces []string
		closes []byte // what closes the parentheses and brackets that are open
		quote  byte   // the quote that is open, or 0
		start  int
	)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			// A doubled quote closes and opens again, which comes to the same.
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			closes = append(closes, ')')
		case c == '[':
			closes = append(closes, ']')
		case c == ')' || c == ']':
			if len(closes) == 0 || closes[len(closes)-1] != c {
				return nil, fmt.Errorf("%c closes nothing in %s", c, s)
			}
			closes = closes[:len(closes)-1]
		case c == sep && len(closes) == 0:
			pieces = append(pieces, s[start:i])
			start = i + 1
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%c is not closed in %s", quote, s)
	}
	if len(closes) > 0 {
		return nil, fmt.Errorf("%c is missing in %s", closes[len(closes)-1], s)
	}
	return append(pieces, s[start:]), nil
}

// parseName reads one name as SQL writes it: quoted, or as it stands. Unlike
// SQL, it leaves the capitals of an unquoted name as they are.
func parseName(s string) (string, error) {
	s = strings.TrimSpace(s)
	name := s
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		inner := s[1 : len(s)-1]
		name = strings.ReplaceAll(inner, `""`, `"`)
		if strings.Count(strings.ReplaceAll(inner, `""`, ""), `"`) > 0 {
			return "", fmt.Errorf("%s is no name", s)
		}
	} else if strings.ContainsAny(s, `"'()[],`) {
		return "", fmt.Errorf("%s is no name", s)
	}
	if name == "" {
		return "", fmt.Errorf("a name is empty")
	}
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("a name holds a zero byte")
	}
	return name, nil
}

// parseNames reads a name, or several in parentheses.
func parseNames(s string) ([]string, error) {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '(' && s[len(s)-1] == ')' {
		s = s[1 : len(s)-1]
	}
	pieces, err := split(s, ',')
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(pieces))
	seen := map[string]bool{}
	for _, piece := range pieces {
		name, err := parseName(piece)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("%s stands there twice", name)
		}
		seen[name] = true
		names = append(names, name)
	}
	return names, nil
}

// tableName is the name of a table; an empty schema means the default one.
type tableName struct{ schema, table string }

// parseTable reads a table's name, with or without schema.
func parseTable(s string) (tableName, error) {
	parts, err := split(s, '.')
	if err != nil {
		return tableName{}, err
	}
	names := make([]string, len(parts))
	for i, part := range parts {
		if names[i], err = parseName(part); err != nil {
			return tableName{}, err
		}
	}
	switch len(names) {
	case 1:
		return tableName{table: names[0]}, nil
	case 2:
		return tableName{schema: names[0], table: names[1]}, nil
	}
	return tableName{}, fmt.Errorf("%s has %d parts, but a table's name is schema.table", strings.TrimSpace(s), len(names))
}
