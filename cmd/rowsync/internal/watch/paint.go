package watch

import (
	"strings"
	"unicode"
)

// paint colours text for a terminal, if it is on.
type paint bool

func (p paint) dim(s string) string    { return p.as("2", s) }
func (p paint) bold(s string) string   { return p.as("1", s) }
func (p paint) red(s string) string    { return p.as("31", s) }
func (p paint) green(s string) string  { return p.as("32", s) }
func (p paint) yellow(s string) string { return p.as("33", s) }
func (p paint) alarm(s string) string  { return p.as("1;97;41", s) } // white on red

func (p paint) as(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// printable replaces what could steer a terminal or break a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, s)
}
