package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

func init() {
	schema.RegisterSerializer("signet_json", jsonColumn{})
	schema.RegisterSerializer("signet_millis", millisColumn{})
}

// jsonColumn keeps lists and small structures as JSON in a text column. What is
// empty is the empty string, so that NOT NULL DEFAULT empty means absent.
type jsonColumn struct{}

func (jsonColumn) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, stored any) error {
	var text []byte
	switch v := stored.(type) {
	case nil:
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("column %s holds %T", field.DBName, stored)
	}
	value := reflect.New(field.FieldType)
	if len(text) > 0 {
		if err := json.Unmarshal(text, value.Interface()); err != nil {
			return fmt.Errorf("column %s: %w", field.DBName, err)
		}
	}
	field.ReflectValueOf(ctx, dst).Set(value.Elem())
	return nil
}

func (jsonColumn) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	return jsonText(value)
}

// jsonText is how a jsonColumn stores a value.
func jsonText(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	switch s := string(text); s {
	case "null", "[]", "{}":
		return "", nil
	default:
		return s, nil
	}
}

// millisColumn keeps a duration as whole milliseconds, and any negative one as
// -1: unset.
type millisColumn struct{}

func (millisColumn) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, stored any) error {
	millis, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("column %s holds %T", field.DBName, stored)
	}
	d := time.Duration(millis) * time.Millisecond
	if millis < 0 {
		d = -1
	}
	field.ReflectValueOf(ctx, dst).SetInt(int64(d))
	return nil
}

func (millisColumn) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	d, ok := value.(time.Duration)
	if !ok {
		return nil, fmt.Errorf("%T is no duration", value)
	}
	if d < 0 {
		return int64(-1), nil
	}
	return d.Milliseconds(), nil
}

// verbatim is SQL of ours that goes into a statement as it stands: gorm looks at
// each byte of all other, which a list of sixty columns makes felt.
type verbatim string

// Build writes it into the statement.
func (v verbatim) Build(b clause.Builder) { _, _ = b.WriteString(string(v)) }

// columnsOf lists the columns of a row type under a table alias and with a
// prefix, so that two rows can be read in one statement into a struct that
// embeds both: "s.id AS s_id, s.user_id AS s_user_id, …".
func columnsOf(row any, alias string) verbatim {
	parsed, err := schema.Parse(row, &parsedRows, schema.NamingStrategy{})
	if err != nil {
		panic(err) // a row type of this package: a programmer's mistake
	}
	var list strings.Builder
	for i, name := range parsed.DBNames {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, `%[1]s.%[2]s AS %[1]s_%[2]s`, alias, name)
	}
	return verbatim(list.String())
}

var parsedRows sync.Map

// changed runs a conditional write and reports whether it hit exactly one row.
func changed(tx *gorm.DB, sql string, args ...any) (bool, error) {
	res := tx.Exec(sql, args...)
	return res.RowsAffected == 1, res.Error
}
